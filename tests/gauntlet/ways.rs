//! The proxies that a way may lead through.

use crate::proxy::{Kind, Place};

macro_rules! nginx {
    ($file:literal, $place:ident) => {
        Kind { program: "nginx", arguments: &["-p", "{folder}", "-c", "{conf}"], files: &[$file], place: Place::$place }
    };
}

macro_rules! haproxy {
    ($file:literal) => {
        Kind { program: "haproxy", arguments: &["-db", "-f", "{conf}"], files: &[$file], place: Place::Before }
    };
}

pub const NGINX_STOCK: Kind = nginx!("nginx-stock.conf", Before);
pub const NGINX_GZIP: Kind = nginx!("nginx-gzip.conf", Before);
pub const NGINX_TLS: Kind = nginx!("nginx-tls.conf", BeforeWithTls);
pub const NGINX_IDLE: Kind = nginx!("nginx-idle.conf", Before);
pub const HAPROXY_STOCK: Kind = haproxy!("haproxy-stock.conf");
pub const HAPROXY_IDLE: Kind = haproxy!("haproxy-idle.conf");
pub const SQUID: Kind = Kind { program: "squid", arguments: &["-N", "-f", "{conf}"], files: &["squid.conf"], place: Place::Forward };
pub const TINYPROXY: Kind =
    Kind { program: "tinyproxy", arguments: &["-d", "-c", "{conf}"], files: &["tinyproxy.conf"], place: Place::Forward };
pub const PRIVOXY: Kind = Kind {
    program: "privoxy",
    arguments: &["--no-daemon", "{conf}"],
    files: &["privoxy.conf", "all.action", "all.filter"],
    place: Place::Forward,
};
pub const LIGHTTPD: Kind =
    Kind { program: "lighttpd", arguments: &["-D", "-f", "{conf}"], files: &["lighttpd.conf"], place: Place::Before };
pub const APACHE_OLD: Kind =
    Kind { program: "apache2", arguments: &["-DFOREGROUND", "-f", "{conf}"], files: &["apache.conf"], place: Place::Before };
pub const VARNISH: Kind = Kind {
    program: "varnishd",
    arguments: &["-F", "-j", "none", "-n", "{folder}/work", "-a", "{own}", "-s", "malloc,16m", "-f", "{conf}"],
    files: &["varnish.vcl"],
    place: Place::Before,
};
pub const CADDY: Kind = Kind {
    program: "caddy",
    arguments: &["run", "--adapter", "caddyfile", "--config", "{conf}"],
    files: &["Caddyfile"],
    place: Place::Before,
};
pub const MITMPROXY: Kind = Kind {
    program: "mitmdump",
    arguments: &[
        "--quiet",
        "--mode",
        "reverse:http://{server}",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        "{port}",
        "--set",
        "confdir={folder}",
    ],
    files: &[],
    place: Place::Before,
};
