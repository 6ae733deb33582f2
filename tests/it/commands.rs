//! The client commands, as a script calls them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::support::process::{Process, liftrelay, run, run_with};

const PASSWORD: &str = "a long password";

/// A server, and what a shell would have in its environment.
struct Shell {
    server: Process,
    environment: Vec<(String, String)>,
    _folder: TempDir,
}

impl Shell {
    fn new() -> Shell {
        let folder = tempdir().unwrap();
        let server = Process::start(folder.path());
        let mut shell = Shell { server, environment: Vec::new(), _folder: folder };
        let locations = ["--location", "desk=10", "--location", "director=30", "--name", "Spring Open", "--password-file", "-"];
        let (code, out, stderr) = run_with(shell.command("create").args(locations), PASSWORD);
        assert_eq!(code, 0, "{stderr}");
        shell.take_up(&out);
        shell
    }

    /// What `eval` does with the printed lines.
    fn take_up(&mut self, out: &str) {
        let words = out.lines().map(|line| line.strip_prefix("export ").unwrap().split_once('=').unwrap());
        self.environment = words.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect();
    }

    fn value(&self, name: &str) -> &str {
        &self.environment.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn command(&self, name: &str) -> Command {
        let mut command = liftrelay();
        command.arg(name).env("LIFTRELAY_SERVER", &self.server.url).envs(self.environment.clone());
        command
    }

    #[track_caller]
    fn done(&self, name: &str, arguments: &[&str]) -> String {
        let (code, out, stderr) = run(self.command(name).args(arguments));
        assert_eq!(code, 0, "{name} {arguments:?}: {stderr}");
        out
    }
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_script_creates_joins_changes_and_reads() {
    let mut shell = Shell::new();
    let pushed = shell.done("push", &["--set", "meet.name", "Spring Open", "--create", "registration.entries[5003]", r#"{"name":"A"}"#]);
    assert_eq!(pushed, "1 meet.name\n2 registration.entries[5003]\n");
    assert_eq!(shell.done("state", &["meet.name"]), "\"Spring Open\"\n");
    let whole: Value = serde_json::from_str(&shell.done("state", &["--json"])).unwrap();
    assert_eq!((&whole["serverSeqNum"], &whole["state"]["registration"]["entries"]["5003"]["name"]), (&json!(2), &json!("A")));
    assert_eq!(shell.done("state", &["--at", "1"]), "{\"meet\":{\"name\":\"Spring Open\"}}\n");

    let join = ["--location", "director", "--password-file", "-"];
    let (code, out, stderr) = run_with(shell.command("join").args(join).env_remove("LIFTRELAY_CLIENT"), PASSWORD);
    assert_eq!(code, 0, "{stderr}");
    let before = shell.value("LIFTRELAY_TOKEN").to_owned();
    shell.take_up(&out);
    assert_ne!(shell.value("LIFTRELAY_TOKEN"), before);
    shell.done("push", &["--remove", "registration.entries[5003]"]);
    let tail = lines(&shell.done("tail", &["--no-follow"]));
    assert_eq!(tail.iter().map(|entry| entry["serverSeqNum"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&tail[2]["op"], &tail[2]["locationName"]), (&json!("remove"), &json!("director")));
}

#[test]
fn a_sync_goes_on_where_the_last_one_ended() {
    let shell = Shell::new();
    let folder = tempdir().unwrap();
    let cursor = folder.path().join("cursor");
    let file = ["--cursor-file", cursor.to_str().unwrap()];
    shell.done("push", &["--set", "lot", "1"]);
    assert_eq!(lines(&shell.done("sync", &file)).len(), 1);
    assert_eq!(lines(&shell.done("sync", &file)).len(), 0);
    let news = shell.done("sync", &[&file[..], &["--set", "lot", "2"]].concat());
    assert_eq!(news.lines().next(), Some("2 lot"));
    assert_eq!(lines(news.split_once('\n').unwrap().1)[0]["updateValue"], json!(2));
    assert!(fs::read_to_string(&cursor).unwrap().starts_with("2-"));
}

/// One exit code for each thing that a script has to tell apart.
#[test]
fn exit_codes_tell_what_came_of_it() {
    let shell = Shell::new();
    let code = |name: &str, arguments: &[&str]| run(shell.command(name).args(arguments)).0;
    assert_eq!(code("push", &["--set", "lot", "1"]), 0);
    assert_eq!(code("push", &["--remove", "nothing"]), 1);
    assert_eq!(code("push", &["--set", "lot", "2", "--remove", "nothing"]), 5);
    assert_eq!(code("push", &["--set", "lot", "3", "--remove", "nothing", "--atomic"]), 1);
    assert_eq!(shell.done("state", &["lot"]), "2\n", "all or nothing");
    assert_eq!(code("push", &[]), 2);
    assert_eq!(code("push", &["--set", "lot"]), 2);
    assert_eq!(code("state", &["--server", "http://127.0.0.1:1"]), 3);
    assert_eq!(code("state", &["--token", "lrs_nothing"]), 4);
    assert_eq!(code("state", &["no.such.key"]), 1);
    let (code, out, stderr) = run_with(shell.command("join").args(["--location", "desk", "--password-file", "-"]), "a wrong password");
    assert_eq!((code, out.as_str()), (4, ""), "{stderr}");
}

#[test]
fn updates_come_from_files_and_pipes() {
    let shell = Shell::new();
    let objects = "{\"updateKey\":\"a\",\"updateValue\":1}\n{\"updateKey\":\"b\",\"updateValue\":null,\"localSeqNum\":7}\n";
    let (code, out, _) = run_with(shell.command("push").args(["--file", "-"]), objects);
    assert_eq!((code, out.as_str()), (0, "1 a\n2 b\n"));
    let array = "[{\"updateKey\":\"b\",\"updateValue\":null,\"localSeqNum\":7}]";
    let (code, out, _) = run_with(shell.command("push").args(["--file", "-", "--json"]), array);
    assert_eq!((code, lines(&out)[0]["serverSeqNum"].clone()), (0, json!(2)), "the same again commits nothing");
    let (code, _, stderr) = run_with(shell.command("push").args(["--file", "-"]), "{\"updateKey\":");
    assert!(code == 2 && stderr.contains("updateValue"), "{stderr}");
}

#[test]
fn an_export_is_whole_and_takes_no_others_place() {
    let shell = Shell::new();
    for lot in 0..3 {
        shell.done("push", &["--set", "lot", &lot.to_string()]);
    }
    let folder = tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let arguments = ["log", "--output", log.to_str().unwrap()];
    shell.done("export", &arguments);
    assert_eq!(lines(&fs::read_to_string(&log).unwrap()).len(), 3);
    let (code, _, stderr) = run(shell.command("export").args(arguments));
    assert!(code == 2 && stderr.contains("is there already"), "{stderr}");
    assert_eq!(shell.done("export", &["state", "-o", "-"]), "{\"lot\":2}\n");
    assert_eq!(names(folder.path()), ["log.jsonl"]);
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn results_are_handed_in() {
    let shell = Shell::new();
    let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kg-single-34.opl.csv");
    let (code, out, stderr) = run(shell.command("publish").arg(&csv).args(["--return-email", "director@example.org"]));
    assert!(code == 0 && out.contains("PUBLISH_ACK") && stderr.contains("handed over"), "{code} {out} {stderr}");
    let (code, _, stderr) = run(shell.command("publish").arg("missing.csv").args(["--return-email", "director@example.org"]));
    assert!(code == 2 && stderr.contains("missing.csv"), "{stderr}");
}

/// `ps` shows arguments to everybody on the machine, and a log keeps what was said.
#[test]
fn secrets_are_in_no_argument_and_no_message() {
    let shell = Shell::new();
    let (_, out, _) = run(shell.command("push").arg("--help"));
    assert!(out.contains("LIFTRELAY_TOKEN") && !out.contains(shell.value("LIFTRELAY_TOKEN")), "{out}");
    let (code, _, stderr) = run(shell.command("join").args(["--location", "desk", "--password", PASSWORD]));
    assert_eq!(code, 2);
    assert!(!stderr.contains(PASSWORD), "{stderr}");
    let (code, _, stderr) = run(shell.command("join").args(["--location", "desk"]));
    assert!(code == 2 && stderr.contains("--password-file"), "{stderr}");
    let (_, _, stderr) = run(shell.command("state").args(["--server", "http://127.0.0.1:1"]));
    assert!(!stderr.contains(shell.value("LIFTRELAY_TOKEN")), "{stderr}");
    for wrong in ["http://user:letmein@hall:99999", "socks5://user:letmein@hall", "user:letmein@hall"] {
        for command in [shell.command("state").args(["--proxy", wrong]), shell.command("doctor").args(["http://h", "--proxy", wrong])] {
            let (code, _, stderr) = run(command);
            assert!(code == 2 && stderr.contains("--proxy") && !stderr.contains("letmein"), "{code} {stderr}");
        }
        let (code, _, stderr) = run(shell.command("state").env("LIFTRELAY_PROXY", wrong));
        assert!(code == 2 && stderr.contains("--proxy") && !stderr.contains("letmein"), "{code} {stderr}");
    }
}

/// A program at the other end of two pipes, a server that is killed in the middle, and nothing lost or doubled.
#[test]
fn a_replica_goes_on_without_its_server_and_comes_back() {
    let shell = Shell::new();
    let folder = tempdir().unwrap();
    let replica = folder.path().join("platform.replica");
    let edits = |range: std::ops::Range<u32>| -> String {
        range.map(|number| format!("{{\"updateKey\":\"attempts[{number}]\",\"updateValue\":{number}}}\n")).collect()
    };
    let password = folder.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    let joining = ["--location", "director", "--drain", "--password-file", password.to_str().unwrap()];
    let (code, out, stderr) = run_with(shell.command("run").arg(&replica).args(joining).env_remove("LIFTRELAY_CLIENT"), &edits(0..3));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(lines(&out).iter().filter(|line| line["event"] == "changed").count(), 3, "{out}");
    assert!(stderr.contains("in step with the server"), "{stderr}");

    // Without the server, edits are kept; it takes as long as it takes to see that nobody is there.
    let mut gone = shell.command("run");
    gone.arg(&replica).args(["--server", "http://127.0.0.1:1"]).env_remove("LIFTRELAY_CLIENT");
    let kept = keep(&mut gone, &edits(3..6), |line| line["event"] == "changed" && line["updateKey"] == "attempts[5]");
    assert!(kept.iter().any(|line| line["event"] == "state" && line["state"]["attempts"]["2"] == 2), "what was there is there: {kept:?}");

    let (code, out, stderr) = run_with(shell.command("run").arg(&replica).arg("--drain").env_remove("LIFTRELAY_CLIENT"), "");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(lines(&out)[0]["state"]["attempts"].as_object().unwrap().len(), 6, "{out}");
    let state: Value = serde_json::from_str(&shell.done("state", &["attempts"])).unwrap();
    assert_eq!(state.as_object().unwrap().len(), 6);
    let log = lines(&shell.done("tail", &["--no-follow"]));
    assert_eq!(log.len(), 6, "each once");

    let wrong = "not json\n{\"updateKey\":\"..\",\"updateValue\":1}\n";
    let (code, out, _) = run_with(shell.command("run").arg(&replica).arg("--drain").env_remove("LIFTRELAY_CLIENT"), wrong);
    assert_eq!((code, lines(&out).iter().filter(|line| line["event"] == "refused-here").count()), (0, 2), "{out}");
}

/// Feeds a command, reads its lines until one is as wanted, and kills it.
fn keep(command: &mut Command, input: &str, until: impl Fn(&Value) -> bool) -> Vec<Value> {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        seen.push(serde_json::from_str(&line.unwrap()).unwrap());
        if until(seen.last().unwrap()) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}
