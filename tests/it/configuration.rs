//! Where options come from, and what is said of them.

use std::fs;

use liftrelay::http::serve::tls::Certificate;
use tempfile::tempdir;

use crate::support::process::{Process, liftrelay, run};
use crate::support::tls::Identity;

#[test]
fn help_has_headings_and_every_option_its_environment() {
    let (code, out, _) = run(liftrelay().args(["serve", "--help"]));
    assert_eq!(code, 0);
    let headings = ["Addresses:", "Files:", "Access:", "TLS:", "Limits:", "Demo:", "Logging:", "Configuration:"];
    let places: Vec<_> =
        headings.iter().map(|heading| out.find(heading).unwrap_or_else(|| panic!("{heading} is missing in\n{out}"))).collect();
    assert!(places.is_sorted(), "{out}");
    let options = out.lines().filter_map(|line| line.trim_start().strip_prefix("--")).filter_map(|line| line.split(' ').next());
    for option in options.filter(|option| !["help", "print-config"].contains(&option.trim_matches(','))) {
        let variable = format!("[env: LIFTRELAY_{}", option.to_uppercase().replace('-', "_"));
        assert!(out.contains(&variable), "{variable} is missing in\n{out}");
    }
}

#[test]
fn print_config_shows_where_flags_environment_file_and_defaults_lead() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("liftrelay.toml");
    fs::write(&file, "listen = \":9000\"\nlog = \"json\"\ncreate-key = \"FromTheFile\"\nmax-connections = 7\n").unwrap();
    let print = || {
        let mut command = liftrelay();
        command.args(["serve", "--print-config", "--config"]).arg(&file);
        command
    };
    let (code, out, stderr) = run(print().args(["--failed-logins-per-meet", "3"]).env("LIFTRELAY_LISTEN", ":9001"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let expected = ["listen = \"127.0.0.1:9001\"", "log = \"json\"", "max-connections = 7", "failed-logins-per-meet = 3"];
    let defaults = ["data-dir = \"./liftrelay-data\"", "fsync = \"always\"", "failed-logins-per-address = 60", "# tls-cert is not set"];
    for line in expected.iter().chain(&defaults) {
        assert!(out.lines().any(|found| found == *line), "{line} is missing in\n{out}");
    }
    assert!(out.contains("# create-key = ") && !out.contains("FromTheFile"), "{out}");
    // What was printed is a file like any other.
    fs::write(&file, &out).unwrap();
    let (code, again, stderr) = run(&mut print());
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        again.replace("# create-key is not set", ""),
        out.lines().map(|line| if line.starts_with("# create-key") { "" } else { line }).collect::<Vec<_>>().join("\n") + "\n"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "printing makes no files");
}

#[test]
fn limits_out_of_range_are_refused_with_what_would_be_right() {
    for wrong in ["0", "-1", "many", ""] {
        let (code, _, stderr) = run(liftrelay().args(["serve", &format!("--max-connections={wrong}")]));
        assert!(code == 2 && stderr.contains("--max-connections"), "{wrong}: {stderr}");
    }
}

#[test]
fn certificates_that_do_not_work_are_told_before_anything_starts() {
    let (folder, identity, other) = (tempdir().unwrap(), Identity::new(), Identity::new());
    let path = |path: std::path::PathBuf| path.display().to_string();
    let (certificate, key) = (path(identity.certificate_file()), path(identity.key_file()));
    let (missing, empty, foreign) = ("/no/such/file.pem".to_owned(), path(folder.path().join("empty")), path(other.key_file()));
    fs::write(&empty, "").unwrap();
    let cases = [
        (vec!["--tls-cert", &certificate], 2, "--tls-key"),
        (vec!["--tls-key", &key], 2, "--tls-cert"),
        (vec!["--tls-cert", &missing, "--tls-key", &key], 2, "/no/such/file.pem cannot be read"),
        (vec!["--tls-cert", &empty, "--tls-key", &key], 2, "holds no certificate"),
        (vec!["--tls-cert", &certificate, "--tls-key", &empty], 2, "holds no private key"),
        (vec!["--tls-cert", &certificate, "--tls-key", &foreign], 2, "is not the key of"),
    ];
    for (arguments, expected, hint) in cases {
        let (code, out, stderr) =
            run(liftrelay().args(["serve", "--listen", ":0"]).args(&arguments).arg("--data-dir").arg(folder.path().join("data")));
        assert_eq!((code, out.as_str()), (expected, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(hint), "{arguments:?}: {stderr}");
    }
}

/// Keys as tools write them: openssl's older forms, and one with a password.
#[test]
fn keys_of_other_tools_are_read_and_encrypted_ones_refused() {
    let folder = tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let openssl = |arguments: &str| {
        let made = std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout rsa8.pem -out rsa.pem -days 30 -subj /CN=localhost");
    openssl("rsa -in rsa8.pem -traditional -out rsa1.pem");
    openssl("ecparam -genkey -name prime256v1 -noout -out ec1.pem");
    openssl("req -x509 -key ec1.pem -out ec.pem -days 30 -subj /CN=localhost");
    openssl("pkcs8 -topk8 -in ec1.pem -passout pass:secret -out encrypted.pem");
    for (certificate, key) in [("rsa.pem", "rsa8.pem"), ("rsa.pem", "rsa1.pem"), ("ec.pem", "ec1.pem")] {
        let read = Certificate::read(&place(certificate), &place(key)).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(read.expires_at.is_some(), "{certificate}");
    }
    let error = Certificate::read(&place("ec.pem"), &place("encrypted.pem")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("encrypted") && error.contains("openssl pkey"), "{error}");
}

#[test]
fn what_tls_does_not_take_is_said_in_words() {
    let folder = tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let openssl = |arguments: &str| {
        let made = std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
    };
    openssl("req -x509 -newkey rsa:1024 -nodes -keyout rsa.key -out rsa.pem -days 30 -subj /CN=localhost");
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout p521.key -out p521.pem -days 30 -subj /CN=localhost");
    openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout v1.key -out v1.csr -subj /CN=localhost");
    openssl("x509 -req -in v1.csr -signkey v1.key -out v1.pem -days 30");
    for (name, file, right) in [("rsa", "rsa.key", "2048"), ("p521", "p521.key", "P-384"), ("v1", "v1.pem", "version 3 would be right")] {
        let read = Certificate::read(&place(&format!("{name}.pem")), &place(&format!("{name}.key")));
        let error = read.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(&format!("{file} cannot be used: ")) && error.contains(right), "{error}");
        assert!(!error.contains("Other") && !error.contains("unexpected error"), "{error}");
    }
}

#[test]
fn certificates_with_wrong_dates_are_served_and_warned_of() {
    for (from, until, warning) in [(2090, 2099, "is not yet valid"), (2099, 2090, "is never valid"), (2001, 2002, "has expired")] {
        let folder = tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(place("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(place("key.pem"), key.serialize_pem()).unwrap();
        let process = Process::start_with(folder.path(), &["--tls-cert", &place("cert.pem"), "--tls-key", &place("key.pem")]);
        process.signal("TERM");
        let (status, _, stderr) = process.wait();
        assert!(status.success() && stderr.contains(&format!("the certificate {warning}")), "{stderr}");
    }
}

#[test]
fn an_empty_create_key_is_refused_wherever_it_comes_from() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("liftrelay.toml");
    fs::write(&file, "create-key = \"FromTheFile\"\n").unwrap();
    let mut by_environment = liftrelay();
    by_environment.args(["serve", "--print-config", "--config"]).arg(&file).env("LIFTRELAY_CREATE_KEY", "");
    let mut by_flag = liftrelay();
    by_flag.args(["serve", "--print-config", "--create-key="]);
    let mut by_file = liftrelay();
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "create-key = \"\"\n").unwrap();
    by_file.args(["serve", "--print-config", "--config"]).arg(&empty);
    for mut command in [by_environment, by_flag, by_file] {
        let (code, out, stderr) = run(&mut command);
        assert_eq!((code, out.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains("create-key") && stderr.contains("it is empty; leave it out"), "{stderr}");
    }
}

#[test]
fn metrics_for_everybody_are_warned_of_and_the_ready_file_goes_at_the_end() {
    for (address, is_warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let folder = tempdir().unwrap();
        let process = Process::start_with(folder.path(), &["--metrics-listen", address]);
        process.signal("TERM");
        let (status, _, stderr) = process.wait();
        assert!(status.success());
        assert_eq!(stderr.contains("--metrics-listen is an address that others can reach"), is_warned, "{stderr}");
        assert!(!folder.path().join("ready").exists(), "the ready file of a server that is no more");
    }
}

#[tokio::test]
async fn the_start_tells_of_https_certificate_limits_and_file() {
    let (folder, identity) = (tempdir().unwrap(), Identity::new());
    let file = folder.path().join("liftrelay.toml");
    let toml = format!("tls-cert = {:?}\ntls-key = {:?}\nmax-connections = 50\n", identity.certificate_file(), identity.key_file());
    fs::write(&file, toml).unwrap();
    let process = Process::start_with(folder.path(), &["--config", &file.display().to_string(), "--listen", "0.0.0.0:0"]);
    let url = process.url.clone();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    identity.client(&url).create_as("desk").await;
    process.signal("TERM");
    let (status, stdout, stderr) = process.wait();
    assert!(status.success());
    assert!(stdout.lines().all(|line| line.starts_with("listening on https://")), "{stdout}");
    for text in ["liftrelay.toml", "cert.pem", "HTTP/2", "at most 50 connections; 10 failed logins a minute", &format!("open {url}/")] {
        assert!(stderr.contains(text), "{text} is missing in\n{stderr}");
    }
    assert!(!stderr.contains("plain HTTP"), "{stderr}");
}
