//! A program with everything that it is called with, and what it left.

use std::sync::Arc;

use glassbox_core::value::Value;
use glassbox_sandbox::{Effects, Failure, FileSet, Flow, Invocation, Outcome, Run, RunLimits, Spec};

use crate::component::{prepare, sandbox};

/// A program in Rust that does what its first argument says; see `tests/fixtures/tool.rs`.
pub(crate) const TOOL: &[u8] = include_bytes!("../../../../conformance/fuel/tool.wasm");

pub(crate) const WORLD: &str = "package acme:tool@1.0.0; world tool { export wasi:cli/run@0.2.6; }";
const RUN: &str = "package wasi:cli@0.2.6; interface run { run: func() -> result; }";

pub(crate) fn tool_spec() -> Spec {
    let files = [("world.wit", WORLD), ("deps/cli.wit", RUN)];
    let files: Vec<_> = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    Spec::parse(&files, None).expect("valid WIT")
}

/// What a program is called with.
#[derive(Default, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) args: &'a [&'a str],
    pub(crate) stdin: &'a str,
    pub(crate) files: &'a [(&'a str, &'a str)],
    /// Files of the release.
    pub(crate) shipped: &'a [(&'a str, &'a str)],
    pub(crate) grants: &'a [&'a str],
    pub(crate) effects: Effects<'a>,
    pub(crate) limits: RunLimits,
}

pub(crate) fn text(text: &str) -> Value {
    Value::String(text.into())
}

pub(crate) fn bytes(text: &str) -> Value {
    Value::Bytes(text.into())
}

pub(crate) async fn run_tool(input: Input<'_>) -> Run {
    let spec = tool_spec();
    let function = spec.function("run").expect("it is there");
    let files = input.files.iter().map(|(path, content)| Value::Tuple(vec![text(path), bytes(content)]));
    let args: Arc<[Value]> = Arc::new([
        Value::List(input.args.iter().map(|arg| text(arg)).collect()),
        bytes(input.stdin),
        Value::List(files.collect()),
    ]);
    let prepared = prepare(TOOL, input.grants).expect("valid");
    let shipped = input.shipped.iter().map(|(path, content)| (path.to_string(), content.as_bytes().into()));
    let shipped: Arc<FileSet> = Arc::new(shipped.collect());
    let invocation = Invocation {
        effects: input.effects,
        files: Some(&shipped),
        ..Invocation::new(&function.name, &function.ty, args, input.limits)
    };
    sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await
}

pub(crate) async fn tool(args: &[&str]) -> Run {
    run_tool(Input { args, ..Input::default() }).await
}

/// What a program left: its status, what it printed, and its files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) status: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) files: Vec<(String, String)>,
}

pub(crate) fn output(run: &Run) -> Output {
    let Outcome::Returned(Some(Value::Record(fields))) = &run.outcome else { panic!("{:?}", run.outcome) };
    let [Value::U8(status), Value::Bytes(stdout), Value::Bytes(stderr), Value::List(files)] = &fields[..]
    else {
        panic!("{fields:?}")
    };
    let utf8 = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("UTF-8");
    let file = |file: &Value| match file {
        Value::Tuple(parts) => match &parts[..] {
            [Value::String(path), Value::Bytes(bytes)] => (path.clone(), utf8(bytes)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    Output {
        status: *status,
        stdout: utf8(stdout),
        stderr: utf8(stderr),
        files: files.iter().map(file).collect(),
    }
}

pub(crate) async fn stdout(args: &[&str]) -> String {
    let run = tool(args).await;
    let output = output(&run);
    assert_eq!(output.status, 0, "{args:?}: {output:?}");
    output.stdout.trim_end().to_owned()
}

pub(crate) fn failure(run: &Run) -> &Failure {
    match &run.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Returned(value) => panic!("returned {value:?}"),
    }
}

pub(crate) const ALL: &[&str] = &["wasi"];
