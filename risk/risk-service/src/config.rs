//! Configuration from `AETHERION_RISK_` variables of the environment and of `.env`; the environment wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::LevelFilter;

/// Name of the TCP address.
pub const LISTEN: &str = "AETHERION_RISK_LISTEN";
/// Name of the path of the Unix socket.
pub const UNIX_SOCKET: &str = "AETHERION_RISK_UNIX_SOCKET";
const THREADS: &str = "AETHERION_RISK_THREADS";
const MAX_QUEUE: &str = "AETHERION_RISK_MAX_QUEUE";
/// Name of the most watchers.
pub const MAX_WATCHERS: &str = "AETHERION_RISK_MAX_WATCHERS";
const MAX_MESSAGE_BYTES: &str = "AETHERION_RISK_MAX_MESSAGE_BYTES";
const LOG_LEVEL: &str = "AETHERION_RISK_LOG_LEVEL";
const NAMES: [&str; 7] = [LISTEN, UNIX_SOCKET, THREADS, MAX_QUEUE, MAX_WATCHERS, MAX_MESSAGE_BYTES, LOG_LEVEL];

/// A path of more bytes does not fit into a socket's address.
const MAX_SOCKET_PATH: usize = 107;

/// What can be set. An empty value counts as not set, but an empty TCP address is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// TCP address to serve; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Path of a Unix socket to serve as well.
    pub unix_socket: Option<PathBuf>,
    /// Threads that calculate.
    pub threads: usize,
    /// Calculations that may wait or run.
    pub max_queue: usize,
    /// Streams that may watch portfolios.
    pub max_watchers: usize,
    /// Largest message, either way.
    pub max_message_bytes: usize,
    /// Least severe events that are logged.
    pub log_level: LevelFilter,
}

/// A setting that is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value breaks the rule of its name.
    #[error("{name}: {rule}, got {value:?}")]
    Invalid {
        /// The name.
        name: String,
        /// The rule.
        rule: String,
        /// The value.
        value: String,
    },
    /// There is no such setting.
    #[error("{name}={value}: no such setting; the nearest is {nearest}")]
    Unknown {
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// The name that was probably meant.
        nearest: &'static str,
    },
    /// A line of `.env` is none.
    #[error(".env line {line}: must be NAME=VALUE, got {text:?}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// `.env` is there and cannot be read.
    #[error(".env: cannot be read: {0}")]
    Unreadable(String),
}

impl Config {
    /// Reads the environment and the `.env` of the working directory.
    pub fn load() -> Result<Self, ConfigError> {
        let dotenv = match std::fs::read_to_string(".env") {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(ConfigError::Unreadable(error.to_string())),
        };
        Self::parse(std::env::vars_os(), &dotenv)
    }

    /// Reads the variables of an environment and the text of a `.env`.
    pub fn parse(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        dotenv: &str,
    ) -> Result<Self, ConfigError> {
        let mut settings = parse_dotenv(dotenv)?;
        for (name, value) in environment {
            let Ok(name) = name.into_string() else { continue };
            if !is_ours(&name) {
                continue;
            }
            match value.into_string() {
                Ok(value) => settings.insert(name, value),
                Err(value) => return Err(invalid(&name, "must be UTF-8", &value.to_string_lossy())),
            };
        }
        Settings::new(settings)?.config()
    }
}

/// Our settings by name, all of them known.
struct Settings(BTreeMap<String, String>);

impl Settings {
    fn new(settings: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        for (name, value) in &settings {
            if !NAMES.contains(&name.as_str()) {
                let (name, value) = (name.clone(), value.clone());
                return Err(ConfigError::Unknown { nearest: nearest(&name), name, value });
            }
        }
        Ok(Self(settings))
    }

    fn config(&self) -> Result<Config, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let a_level = "must be one of error, warn, info, debug, trace";
        Ok(Config {
            listen: self.listen()?,
            unix_socket: self.unix_socket()?,
            threads: self.within(THREADS, 1..=1024, cores)?,
            max_queue: self.within(MAX_QUEUE, 1..=100_000, 64)?,
            max_watchers: self.within(MAX_WATCHERS, 1..=100_000, 256)?,
            max_message_bytes: self.within(MAX_MESSAGE_BYTES, 65_536..=2_147_483_647, 268_435_456)?,
            log_level: self.read(LOG_LEVEL, a_level, log_level)?.unwrap_or(LevelFilter::INFO),
        })
    }

    fn listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        let rule = "must be an IP address and a port, as 127.0.0.1:50052, or empty beside a Unix socket";
        match self.0.get(LISTEN) {
            None => Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 50052)))),
            Some(empty) if empty.is_empty() && self.unix_socket()?.is_some() => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| invalid(LISTEN, rule, text)),
        }
    }

    fn unix_socket(&self) -> Result<Option<PathBuf>, ConfigError> {
        let rule = format!("must be a path of at most {MAX_SOCKET_PATH} bytes");
        self.read(UNIX_SOCKET, &rule, |text| (text.len() <= MAX_SOCKET_PATH).then(|| Path::new(text).to_path_buf()))
    }

    fn within(&self, name: &str, range: RangeInclusive<usize>, default: usize) -> Result<usize, ConfigError> {
        let rule = format!("must be a whole number within {}..={}", range.start(), range.end());
        let value = self.read(name, &rule, |text| text.parse().ok().filter(|value| range.contains(value)))?;
        Ok(value.unwrap_or(default))
    }

    fn read<T>(&self, name: &str, rule: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| invalid(name, rule, value))
    }
}

fn invalid(name: &str, rule: &str, value: &str) -> ConfigError {
    ConfigError::Invalid { name: name.into(), rule: rule.into(), value: value.into() }
}

fn log_level(text: &str) -> Option<LevelFilter> {
    match text {
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

/// Our names in a `.env`: `NAME=VALUE` lines, `#` comments, values with or without quotes. The other names belong to the
/// other services.
fn parse_dotenv(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut settings = BTreeMap::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(ConfigError::Malformed { line: i + 1, text: line.into() });
        };
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        if is_ours(name) {
            settings.insert(name.to_owned(), unquote(value.trim()).to_owned());
        }
    }
    Ok(settings)
}

/// A value without its quotes, or without the comment after it.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

/// Whether a variable is this service's, or would be if it were spelled right. The other two programs share the
/// environment and the file.
fn is_ours(name: &str) -> bool {
    let others = ["AETHERION_TRADING_", "AETHERION_CLIENT_"];
    name.starts_with("AETHERION_") && !others.iter().any(|other| name.starts_with(other))
}

fn nearest(name: &str) -> &'static str {
    NAMES.into_iter().min_by_key(|known| edit_distance(name, known)).unwrap_or(LISTEN)
}

/// Levenshtein's distance: insertions, deletions and substitutions from one to the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to.bytes()) {
            let substituted = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(environment: &[(&str, &str)], dotenv: &str) -> Result<Config, ConfigError> {
        Config::parse(environment.iter().map(|(name, value)| (name.into(), value.into())), dotenv)
    }

    fn refused(environment: &[(&str, &str)], dotenv: &str) -> String {
        parse(environment, dotenv).unwrap_err().to_string()
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        let config = parse(&[("PATH", "/bin"), (THREADS, "")], "").unwrap();
        assert_eq!(config.listen, Some("127.0.0.1:50052".parse().unwrap()));
        assert_eq!(config.unix_socket, None);
        assert_eq!((config.max_queue, config.max_watchers, config.max_message_bytes), (64, 256, 256 << 20));
        assert_eq!(config.log_level, LevelFilter::INFO);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let dotenv = "# ours\nAETHERION_RISK_THREADS=3\nexport AETHERION_RISK_MAX_QUEUE = \"5\" # few\n\
                      AETHERION_RISK_UNIX_SOCKET='/run/a b.sock'\nAETHERION_RISK_LOG_LEVEL=debug # much\n\
                      AETHERION_TRADING_WHATEVER=x\n";
        let config = parse(&[(THREADS, "4")], dotenv).unwrap();
        assert_eq!((config.threads, config.max_queue), (4, 5));
        assert_eq!(config.unix_socket, Some("/run/a b.sock".into()));
        assert_eq!(config.log_level, LevelFilter::DEBUG);
    }

    #[test]
    fn what_is_wrong_is_refused_by_name_value_and_rule() {
        let check = |name, value, expected: &str| {
            assert_eq!(refused(&[(name, value)], ""), expected);
            assert_eq!(refused(&[], &format!("{name}={value}")), expected);
        };
        let rule = "AETHERION_RISK_LISTEN: must be an IP address and a port, as 127.0.0.1:50052, or empty beside a Unix socket";
        check(LISTEN, "host:1", &format!("{rule}, got \"host:1\""));
        check(LISTEN, "", &format!("{rule}, got \"\""));
        check(THREADS, "0", "AETHERION_RISK_THREADS: must be a whole number within 1..=1024, got \"0\"");
        check(THREADS, "two", "AETHERION_RISK_THREADS: must be a whole number within 1..=1024, got \"two\"");
        check(MAX_WATCHERS, "0", "AETHERION_RISK_MAX_WATCHERS: must be a whole number within 1..=100000, got \"0\"");
        check(MAX_QUEUE, "-1", "AETHERION_RISK_MAX_QUEUE: must be a whole number within 1..=100000, got \"-1\"");
        let rule = "AETHERION_RISK_MAX_MESSAGE_BYTES: must be a whole number within 65536..=2147483647, got \"9\"";
        check(MAX_MESSAGE_BYTES, "9", rule);
        let rule = "AETHERION_RISK_LOG_LEVEL: must be one of error, warn, info, debug, trace, got \"loud\"";
        check(LOG_LEVEL, "loud", rule);
        let nearest = "AETHERION_RISK_THREAD=2: no such setting; the nearest is AETHERION_RISK_THREADS";
        check("AETHERION_RISK_THREAD", "2", nearest);
        let nearest = "AETHERION_RISK_UNIX_SOKET=s: no such setting; the nearest is AETHERION_RISK_UNIX_SOCKET";
        check("AETHERION_RISK_UNIX_SOKET", "s", nearest);
    }

    #[test]
    fn a_line_that_is_none_is_refused_by_its_number() {
        assert_eq!(refused(&[], "A=1\n\nnonsense"), ".env line 3: must be NAME=VALUE, got \"nonsense\"");
    }

    #[test]
    fn an_empty_tcp_address_is_none_beside_a_unix_socket() {
        let config = parse(&[(LISTEN, ""), (UNIX_SOCKET, "s")], "").unwrap();
        assert_eq!((config.listen, config.unix_socket), (None, Some("s".into())));
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        let fits = "s".repeat(107);
        assert!(parse(&[(UNIX_SOCKET, &fits)], "").is_ok());
        assert!(refused(&[(UNIX_SOCKET, &format!("{fits}s"))], "").contains("at most 107 bytes"));
    }

    #[test]
    fn distances_count_edits() {
        let check = |from, to, expected| assert_eq!(edit_distance(from, to), expected, "{from} {to}");
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("same", "same", 0);
    }
}
