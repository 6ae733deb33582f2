//! Every shell block of README.md does what it says.

use std::path::Path;
use std::process::Command;

use crate::support::process::Process;

const README: &str = include_str!("../../README.md");

/// The `sh` blocks, in order.
fn blocks() -> Vec<&'static str> {
    let parts = README.split("```sh\n").skip(1);
    parts.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What the two commands run besides the tests themselves, which run these tests.
#[test]
fn the_two_commands_are_there() {
    let blocks = blocks();
    assert!(blocks[0].starts_with("cargo run --release -- serve --demo "));
    let tests = blocks[1].split_whitespace().next().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(tests);
    use std::os::unix::fs::PermissionsExt;
    assert_ne!(path.metadata().unwrap().permissions().mode() & 0o111, 0, "{tests} can be run");
    // The first command without its build: the same arguments start this build of the program.
    let folder = tempfile::tempdir().unwrap();
    Process::start_with(folder.path(), &["--demo"]);
}

#[test]
fn a_meet_in_60_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path());
    let script = blocks()[2..].join("\n").replace("http://127.0.0.1:8455", &server.url);
    let program = Path::new(env!("CARGO_BIN_EXE_liftrelay")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    let ran = shell.args(["-euo", "pipefail", "-c", &script]).env("PATH", path).current_dir(folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    for expected in [
        "the meet is ",
        // The stream
        "event: hello",
        "event: update-relay",
        // The push and the resend
        "\"updateAcks\":[{\"index\":0,\"serverSeqNum\":1},{\"localSeqNum\":1,\"serverSeqNum\":2}]",
        "\"duplicate\":true",
        // The pull
        "\"serverSeqNum\":2",
        // The conflict
        "\"updateValue\":92.5}],\"serverSeqNum\":3",
        "\"code\": \"overruled\"",
        // The view key
        "{\"name\":\"Ada Ashdown\",\"sex\":\"F\",\"squatKg\":{\"0\":92.5}}",
    ] {
        assert!(out.contains(expected), "{expected} is missing in\n{out}\n{err}");
    }
}
