//! A configuration for people, and what has changed between two.

use serde_json::{Map, Value};

use super::{Config, SECRET};
use crate::cli::server_key;

const HEADING: &str = "# What flags, environment, file and defaults come to. `liftrelay serve --config` takes this file;\n\
    # secrets are not shown, and have to be added by hand.";

impl Config {
    /// As a file that `--config` takes. Secrets are named and not shown.
    ///
    /// # Errors
    /// Where a path is no text.
    pub(in crate::cli) fn to_toml(&self) -> Result<String, String> {
        let key_file = self.server_key_file.clone().unwrap_or_else(|| server_key::default_path(&self.data_dir));
        let shown = Config { server_key_file: Some(key_file), ..self.clone() };
        let mut lines = vec![HEADING.to_owned()];
        for (name, value) in shown.members()? {
            lines.push(match value {
                Value::Null => format!("# {name} is not set"),
                value if is_secret(&name, &value) => format!("# {name} = \"...\"  (set, and not shown)"),
                value => format!("{name} = {}", toml::Value::try_from(&value).map_err(|error| format!("{name}: {error}"))?),
            });
        }
        Ok(lines.join("\n"))
    }

    /// Names of the options whose values differ.
    pub(in crate::cli) fn changes(&self, other: &Config) -> Vec<String> {
        let (Ok(before), Ok(mut after)) = (self.members(), other.members()) else { return Vec::new() };
        let differs = |(name, value): (String, Value)| (after.remove(&name) != Some(value)).then_some(name);
        before.into_iter().filter_map(differs).collect()
    }

    /// Each option under its name.
    fn members(&self) -> Result<Map<String, Value>, String> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Ok(Map::new()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A destination is secret where it is an address, which may hold a password; a folder is not.
fn is_secret(name: &str, value: &Value) -> bool {
    SECRET.contains(&name) && (name != "publish-to" || value.as_str().is_some_and(|text| text.contains("://")))
}

#[cfg(test)]
mod tests {
    use super::super::ServeArgs;

    #[test]
    fn what_is_shown_comes_to_the_same_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("liftrelay.toml");
        let text = "listen = \"[::1]:9000\"\ndata-dir = \"/a \\\"b\\\"\"\ntrusted-proxy = [\"10.0.0.0/8\", \"::1/128\"]\n\
            allow-origin = [\"https://a.example.org\"]\ndemo = true\ndemo-speed = 7\nfsync = \"never\"\nlog = \"json\"\nmax-connections = 5\n\
            tls-cert = \"c\"\ntls-key = \"k\"\nfailed-logins-per-meet = 3\nfailed-logins-per-address = 4\nserver-key-file = \"s\"\nready-file = \"r\"\nmetrics-listen = \"127.0.0.1:9000\"\n\
            publish-to = \"/srv/results\"\nkeep-finished = 30\naccept-unproven-restore = true\n";
        std::fs::write(&path, text).unwrap();
        let args = ServeArgs { config: Some(path.clone()), ..ServeArgs::default() };
        let config = args.resolve().unwrap();
        let shown = config.to_toml().unwrap();
        std::fs::write(&path, &shown).unwrap();
        assert_eq!(config.changes(&args.resolve().unwrap()), Vec::<String>::new(), "{shown}");
        assert_eq!(shown.lines().filter(|line| !line.starts_with('#')).count(), text.lines().count(), "{shown}");
    }

    #[test]
    fn a_secret_is_named_and_its_change_is_noticed() {
        let with = |key: &str| ServeArgs { create_key: Some(key.to_owned()), ..ServeArgs::default() }.resolve().unwrap();
        let shown = with("TheOperatorsSecret").to_toml().unwrap();
        assert!(shown.contains("# create-key =") && !shown.contains("TheOperatorsSecret"), "{shown}");
        let publish_to = Some("https://me:opensesame@example.org/?token=opensesame".parse().unwrap());
        let shown = ServeArgs { publish_to, ..ServeArgs::default() }.resolve().unwrap().to_toml().unwrap();
        assert!(shown.contains("# publish-to =") && !shown.contains("opensesame"), "{shown}");
        assert!(shown.contains("# secrets are not shown, and have to be added by hand"), "{shown}");
        assert_eq!(with("one").changes(&with("other")), ["create-key"]);
    }
}
