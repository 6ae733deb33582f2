//! Passwords: from a prompt, from stdin or from a file, never from the arguments.

use std::fs;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::meet::limits::{PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS};

/// Where the password comes from; without either it is asked for.
#[derive(Clone, Debug, Args)]
pub(super) struct PasswordArgs {
    /// Read the password from the first line of this file; `-` is stdin. Without it, it is asked for
    #[arg(long, env = "LIFTRELAY_PASSWORD_FILE", value_name = "FILE", help_heading = "Password")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// The password, where a file was named.
    pub(super) fn given(&self) -> Option<Result<String, String>> {
        self.password_file.as_deref().map(from_file)
    }

    /// The password. One that is `new` is asked for twice.
    ///
    /// # Errors
    /// What was wrong, for a person.
    pub(super) fn read(&self, new: bool) -> Result<String, String> {
        match &self.password_file {
            Some(path) => from_file(path),
            None if std::io::stdin().is_terminal() => ask(new),
            None => {
                Err("there is no terminal to ask for the password; use --password-file FILE, or --password-file - for stdin".to_owned())
            }
        }
    }
}

fn from_file(path: &Path) -> Result<String, String> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|error| format!("stdin: {error}"))?
    } else {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
    };
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(format!("{} holds no password in its first line", path.display())),
    }
}

fn ask(new: bool) -> Result<String, String> {
    let prompt = |text: &str| rpassword::prompt_password(text).map_err(|error| format!("the password cannot be asked for: {error}"));
    let password = prompt("Password: ")?;
    if !new {
        return Ok(password);
    }
    if !(PASSWORD_MIN_CHARS..=PASSWORD_MAX_CHARS).contains(&password.chars().count()) {
        return Err(format!("a password has {PASSWORD_MIN_CHARS} to {PASSWORD_MAX_CHARS} characters"));
    }
    if prompt("The same again: ")? != password {
        return Err("the two passwords differ; nothing was created".to_owned());
    }
    Ok(password)
}
