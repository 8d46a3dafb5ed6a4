//! Programs as functions: `wasi:cli/run` with arguments, standard input and files in, and what it printed and wrote out.

use std::collections::BTreeSet;
use std::sync::Arc;

use glassbox_core::limits::QUOTED_CHARS_MAX;
use glassbox_core::value::{Field, FunctionType, Param, Type, Value};

use super::Host;
use super::cli::Stdio;
use super::entry::Made;
use super::stream::{Allowance, Buffer, Source};
use super::tree::{FileSet, Tree};

/// The interface that programs export, without its version.
pub(crate) const INTERFACE: &str = "wasi:cli/run";

/// What a program sees as its own name, before its arguments.
const NAME: &str = "run";

/// The most bytes of the result's encoding beside what the program wrote: the status and three lengths.
const FRAME_BYTES: usize = 16;

/// Returns `run` as callers see it.
pub(crate) fn function() -> Made {
    let bytes = || Type::List(Box::new(Type::U8));
    let files = || Type::List(Box::new(Type::Tuple(vec![Type::String, bytes()])));
    let param = |name: &str, ty| Param { name: name.into(), ty };
    let field = |name: &str, ty| Field { name: name.into(), ty };
    let ty = FunctionType {
        params: vec![
            param("args", Type::List(Box::new(Type::String))),
            param("stdin", bytes()),
            param("files", files()),
        ],
        result: Some(Type::Record(vec![
            field("status", Type::U8),
            field("stdout", bytes()),
            field("stderr", bytes()),
            field("files", files()),
        ])),
    };
    Made {
        own: FunctionType { params: Vec::new(), result: Some(Type::Result { ok: None, err: None }) },
        signature: format!("run: {ty}"),
        ty,
        docs: "Runs the program with arguments, standard input and files by their paths. Returns its exit status, what \
               it wrote to its standard streams, and the files that are new or changed.",
    }
}

/// Gives the host the arguments of `run`, which were checked against its type. Fails where a path of a file is none.
pub(super) fn enter(
    host: &mut Host,
    args: &[Value],
    files: &Arc<FileSet>,
    output_bytes: usize,
) -> Result<(), String> {
    let [Value::List(args), Value::Bytes(stdin), Value::List(input)] = args else {
        return Err("a program takes arguments, standard input and files".into());
    };
    let mut files = files.clone();
    let mut paths = BTreeSet::new();
    for (path, bytes) in input.iter().filter_map(file) {
        if !paths.insert(path) {
            return Err(format!(
                "the file `{}` stands twice",
                path.chars().take(QUOTED_CHARS_MAX).collect::<String>()
            ));
        }
        // One of the call hides one of the release.
        Arc::make_mut(&mut files).insert(path.to_owned(), bytes.into());
    }
    let text = |arg: &Value| match arg {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let allowance = Allowance::new(output_bytes.saturating_sub(FRAME_BYTES));
    host.stdio = Stdio {
        args: std::iter::once(NAME.to_owned()).chain(args.iter().filter_map(text)).collect(),
        stdin: Source::new(stdin.as_slice()),
        stdout: Some(Buffer::new(allowance.clone())),
        stderr: Some(Buffer::new(allowance.clone())),
    };
    host.tree = Tree::new(files).map_err(|error| error.to_string())?.writable(allowance);
    Ok(())
}

fn file(value: &Value) -> Option<(&str, &[u8])> {
    let Value::Tuple(parts) = value else { return None };
    match &parts[..] {
        [Value::String(path), Value::Bytes(bytes)] => Some((path, bytes)),
        _ => None,
    }
}

/// Makes the result of `run`, or returns `None` where it is larger than `output_bytes`.
pub(crate) fn leave(host: &mut Host, status: u8, output_bytes: usize) -> Option<Value> {
    let taken = |buffer: &Option<Buffer>| buffer.as_ref().map(Buffer::take).unwrap_or_default();
    let (stdout, stderr) = (taken(&host.stdio.stdout), taken(&host.stdio.stderr));
    let left = output_bytes.checked_sub(stdout.len())?.checked_sub(stderr.len())?;
    let file = |(path, bytes)| Value::Tuple(vec![Value::String(path), Value::Bytes(bytes)]);
    let files = host.tree.changed(left)?.into_iter().map(file).collect();
    Some(Value::Record(vec![
        Value::U8(status),
        Value::Bytes(stdout),
        Value::Bytes(stderr),
        Value::List(files),
    ]))
}
