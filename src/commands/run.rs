//! `glassbox run`: a program from the shell, on the registry or from a folder on this machine.
//!
//! What the program prints is printed as it is, and its exit code is that of the command. Nothing else goes to stdout.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use glassbox_core::egress::Egress;
use glassbox_core::name::RemoteRef;
use glassbox_core::value::{FunctionType, Value, json};
use glassbox_core::{Digest, limits};
use glassbox_registry::package::file_set;
use glassbox_registry::{Package, failure_code};
use glassbox_sandbox::{
    Dependency, Effects, FileSet, Function, Grants, Invocation, Outcome, RunLimits, Sandbox, Spec,
    check_files,
};
use serde::Serialize;

use super::call::{Caller, TypedCall, interface};
use super::{Context, depend};
use crate::cli::{Allowance, Program, RunArgs};
use crate::failure::Failure;
use crate::files::{self, Entries, Existing, Out};
use crate::folder;
use crate::output::{GOOD, count, paint};
use crate::progress::during;
use crate::sandbox::{self, ALLOWED_HINT};

pub(super) async fn run(context: &Context, args: &RunArgs) -> Result<ExitCode, Failure> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let out = args.out.as_deref().map(|root| Out::open(root, existing)).transpose()?;
    let (left, summary) = match &args.program {
        Program::Release(release) => remote(context, args, release).await?,
        Program::Folder(folder) => local(context, args, folder).await?,
    };
    remark(context, args, &summary);
    match &out {
        Some(out) => out.write(&left.files)?,
        None if left.files.is_empty() => {}
        None => {
            let files = count(left.files.len() as u64, "file");
            remark(context, args, &format!("{files} not kept: name a folder with --out"));
        }
    }
    Ok(ExitCode::from(left.status))
}

/// Says something beside the program's own words: to a person, or where that is asked for.
fn remark(context: &Context, args: &RunArgs, text: &str) {
    if args.summary || std::io::stderr().is_terminal() {
        context.output.note(text);
    }
}

/// Runs a program on the registry. What it printed is printed before anything else can go wrong.
async fn remote(context: &Context, args: &RunArgs, release: &RemoteRef) -> Result<(Left, String), Failure> {
    let caller = Caller::new(context, &args.allowance, release.registry.as_deref())?;
    let reading = interface(caller.remote(), &release.reference);
    let (release, spec, logged) = during("reading the interface", reading).await?;
    let Function { name, ty, .. } = program_of(&spec, &release.to_string())?;
    let values = input(args)?;
    let invalid =
        |error: glassbox_core::value::ValueError| Failure::no("arguments-invalid", error.to_string(), "");
    let call = TypedCall {
        args: json::args_to_json(ty, &values).map_err(invalid)?,
        release,
        function: name.short(),
        ty: ty.clone(),
        logged,
    };
    let made = caller.call(&call).await?;
    let left = left(ty, &made.response.output);
    print(context, &made.response, left.as_ref().ok());
    let summary = made.keep()?;
    caller.check_log(&made).await?;
    Ok((left?, summary))
}

/// What a run on this machine gave, in the words of a call's answer.
#[derive(Serialize)]
struct Answer {
    output: serde_json::Value,
    fuel_used: u64,
    pure: bool,
}

/// Runs the program of a package on this machine, for nothing.
async fn local(context: &Context, args: &RunArgs, folder: &Path) -> Result<(Left, String), Failure> {
    if args.allowance.receipt.is_some() {
        let message = "a run on this machine has no receipt";
        return Err(Failure::error(
            "usage",
            message,
            "publish the package and run it by its name, or leave --receipt out",
        ));
    }
    let package = during("checking", folder::check(folder)).await?;
    let function = program_of(&package.spec, &package.manifest.release().to_string())?;
    let fuel = fuel(&args.allowance, &package)?;
    let Allowance { allow, allow_none, .. } = &args.allowance;
    // As on a registry: what the manifest declares and the command line allows.
    let allowed = sandbox::allowed(allow, *allow_none)
        .map_err(|error| Failure::no("grants-invalid", error.to_string(), ALLOWED_HINT))?;
    let grants = package.grants.meet(&allowed.grants);
    let values = input(args)?;
    let sandbox = sandbox::reaching(allowed.egress)?;
    let dependencies = depend::links(context, &sandbox, &package).await?;
    let running = execute(&sandbox, &package, dependencies, (function, values), &grants, fuel);
    let run = during("running", running).await?;
    let value = match run.outcome {
        Outcome::Returned(value) => value,
        Outcome::Failed(failure) => {
            let code = failure_code(failure.kind.name());
            let message = format!("{}: {}", failure.kind, failure.message);
            return Err(match code {
                "internal" | "call-timed-out" => Failure::error(code, message, "run it again"),
                _ => Failure::no(code, message, hint(code)),
            });
        }
    };
    let result = function.ty.result.as_ref().zip(value.as_ref());
    let output = result.and_then(|(ty, value)| json::to_json(value, ty).ok()).unwrap_or_default();
    let left = left(&function.ty, &output)?;
    print(context, &Answer { output, fuel_used: run.fuel_used, pure: run.pure }, Some(&left));
    Ok((left, format!("{} on this machine, {} fuel", paint(GOOD, "✓"), run.fuel_used)))
}

async fn execute(
    sandbox: &Sandbox,
    package: &Package,
    dependencies: Vec<Dependency>,
    (function, args): (&Function, Vec<Value>),
    grants: &Grants,
    fuel: u64,
) -> Result<glassbox_sandbox::Run, Failure> {
    let (compiler, grants, component) =
        (sandbox.clone(), grants.clone(), package.component_of(&function.name).to_vec());
    let work = move || compiler.compose(Digest::of(&component), &component, &grants, dependencies);
    let prepared = tokio::task::spawn_blocking(work).await;
    let prepared = prepared
        .map_err(|error| Failure::error("internal", error.to_string(), ""))?
        .map_err(glassbox_registry::PublishError::from)?;
    let files = package.files.files.as_ref().map(|files| Arc::new(file_set(files)));
    let events = package.manifest.events().map(str::to_owned).collect();
    let limits =
        RunLimits { fuel, memory_bytes: package.manifest.memory_max_bytes(), ..RunLimits::default() };
    let invocation = Invocation {
        effects: Effects::Live { environment: &[], egress: &Egress::Any },
        files: files.as_ref(),
        events: Some(&events),
        ..Invocation::new(&function.name, &function.ty, args.into(), limits)
    };
    Ok(sandbox.run_here(&prepared, invocation).await)
}

/// Returns the fuel ceiling, which a registry would allow too.
fn fuel(allowance: &Allowance, package: &Package) -> Result<u64, Failure> {
    let max = package.manifest.fuel_max();
    match allowance.fuel {
        None => Ok(max),
        Some(fuel) if (1..=max).contains(&fuel) => Ok(fuel),
        Some(fuel) => {
            let message = format!("a fuel ceiling of {fuel} is not between 1 and {max}");
            Err(Failure::no(
                "fuel-ceiling-invalid",
                message,
                "leave --fuel out for the package's own ceiling",
            ))
        }
    }
}

fn hint(code: &str) -> &'static str {
    match code {
        "guest-out-of-fuel" => "raise `fuel-max` in glassbox.toml, or --fuel up to it",
        "guest-import-not-granted" => "allow it, and declare it under `imports-allow` in glassbox.toml",
        "guest-too-many-calls" => "raise `calls-max` of the dependency in glassbox.toml",
        _ => "change the arguments; these will fail again",
    }
}

/// Returns the function that runs the program, or says what there is instead.
fn program_of<'a>(spec: &'a Spec, release: &str) -> Result<&'a Function, Failure> {
    spec.program().ok_or_else(|| {
        let names: Vec<String> = spec.functions().iter().map(|function| function.name.short()).collect();
        let message = format!("`{release}` is no program: it does not export `wasi:cli/run`");
        Failure::no("not-a-program", message, format!("use `glassbox call`; there are {}", names.join(", ")))
    })
}

/// Reads what the program is called with: arguments, standard input unless somebody would have to type it, and files.
fn input(args: &RunArgs) -> Result<Vec<Value>, Failure> {
    let mut bytes_left = limits::RUN_INPUT_BYTES_MAX;
    let mut shown = BTreeMap::new();
    let mut show = |name: String, bytes: Vec<u8>| match shown.insert(name.clone(), bytes) {
        None => Ok(()),
        Some(_) => {
            Err(Failure::no("arguments-invalid", format!("the file `{name}` stands twice"), "give it once"))
        }
    };
    for (name, path) in &args.files {
        show(name.clone(), files::read(path, &mut bytes_left)?)?;
    }
    for folder in &args.dirs {
        for (name, bytes) in files::below(folder, bytes_left)? {
            bytes_left -= bytes.len();
            show(name, bytes)?;
        }
    }
    // What nobody could be shown must not be found out by paying for it.
    let set: FileSet = shown.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice().into())).collect();
    check_files(&Arc::new(set)).map_err(|error| {
        Failure::no(
            "arguments-invalid",
            error.to_string(),
            "name files like in/data.csv, from where the program starts",
        )
    })?;
    let mut stdin = Vec::new();
    if !std::io::stdin().is_terminal() {
        let read = std::io::stdin().lock().take(bytes_left as u64 + 1).read_to_end(&mut stdin);
        read.map_err(|error| Failure::io("read", Path::new("standard input"), &error))?;
    }
    if stdin.len() > bytes_left {
        let message =
            format!("standard input and files have more than {} bytes", limits::RUN_INPUT_BYTES_MAX);
        return Err(Failure::no("body-too-large", message, "send less, in several runs"));
    }
    let file = |(name, bytes)| Value::Tuple(vec![Value::String(name), Value::Bytes(bytes)]);
    Ok(vec![
        Value::List(args.args.iter().cloned().map(Value::String).collect()),
        Value::Bytes(stdin),
        Value::List(shown.into_iter().map(file).collect()),
    ])
}

/// What a program left.
struct Left {
    status: u8,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    files: Entries,
}

/// Reads what a program left from the output of its function.
fn left(ty: &FunctionType, output: &serde_json::Value) -> Result<Left, Failure> {
    let value = ty.result.as_ref().and_then(|ty| json::from_json(output, ty).ok());
    let fields = match value {
        Some(Value::Record(fields)) => <[Value; 4]>::try_from(fields).ok(),
        _ => None,
    };
    match fields {
        Some([Value::U8(status), Value::Bytes(stdout), Value::Bytes(stderr), Value::List(files)]) => {
            Ok(Left { status, stdout, stderr, files: files.into_iter().filter_map(file).collect() })
        }
        _ => Err(Failure::error("registry-invalid", "the answer is not that of a program", "")),
    }
}

fn file(value: Value) -> Option<(String, Vec<u8>)> {
    let Value::Tuple(parts) = value else { return None };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::String(path), Value::Bytes(bytes)]) => Some((path, bytes)),
        _ => None,
    }
}

/// Prints what the program printed, or with `--json` the whole answer.
fn print(context: &Context, answer: &impl Serialize, left: Option<&Left>) {
    if context.json {
        return context.output.answer(answer, String::new);
    }
    if let Some(left) = left {
        // A reader that went away, as `head` does, has had enough.
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(&left.stdout).and_then(|()| stdout.flush());
        let _ = std::io::stderr().lock().write_all(&left.stderr);
    }
}
