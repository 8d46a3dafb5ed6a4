//! The children of the sandbox as a program of their own, for those who use the library without the `glassbox`
//! command, and for its tests.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, ExitCode};

use glassbox_sandbox::{Confinement, compile_worker, confine, execute_worker};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("compile") => compile_worker(),
        Some("execute") => execute_worker(),
        Some("probe-compile") => {
            probe(Confinement::Compile { cpu_seconds: 10, memory_bytes: 256 * 1024 * 1024 })
        }
        Some("probe-execute") => match std::env::args_os().nth(2) {
            Some(dir) => probe(Confinement::Execute { artifact_dir: dir.as_ref() }),
            None => ExitCode::from(2),
        },
        _ => ExitCode::from(2),
    }
}

type Attempt = fn() -> io::Result<()>;

/// Confines itself as a child does, tries what it should not be able to do, and prints what came of it.
fn probe(confinement: Confinement<'_>) -> ExitCode {
    let missing = confine(confinement);
    let attempts: [(&str, Attempt); 9] = [
        ("read a file", || File::open("/etc/passwd").map(drop)),
        ("list a directory", || fs::read_dir("/").map(drop)),
        ("make a file", || File::create(std::env::temp_dir().join("glassbox-probe")).map(drop)),
        ("read its own memory map", || fs::read("/proc/self/maps").map(drop)),
        ("connect", || TcpStream::connect("127.0.0.1:9").map(drop)),
        ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
        ("send datagrams", || UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("start a program", || Command::new("/bin/true").spawn().map(drop)),
        ("start a thread", || std::thread::Builder::new().spawn(|| ()).map(drop)),
    ];
    println!("missing: {}", missing.join(", "));
    for (what, attempt) in attempts {
        let outcome = match attempt() {
            Ok(()) => "possible".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        println!("{what}: {outcome}");
    }
    ExitCode::SUCCESS
}
