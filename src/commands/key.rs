//! `glassbox key`.

use serde::Serialize;

use super::Context;
use crate::cli::KeyCommand;
use crate::failure::Failure;
use crate::home::new_key;
use crate::output::{DIM, NAME, paint};

#[derive(Serialize)]
struct Answer {
    public: String,
    file: String,
}

pub(super) fn run(context: &Context, command: &KeyCommand) -> Result<(), Failure> {
    let home = context.home()?;
    let key = match command {
        KeyCommand::New => new_key(&home.key_path())?,
        KeyCommand::Show => home.key()?.ok_or_else(|| {
            let message = format!("there is no key at `{}`", home.key_path().display());
            Failure::no("key-not-found", message, "make one with `glassbox key new`")
        })?,
    };
    let answer = Answer { public: key.public().to_string(), file: home.key_path().display().to_string() };
    context
        .output
        .answer(&answer, || format!("{}\n{}", paint(NAME, &answer.public), paint(DIM, &answer.file)));
    Ok(())
}
