//! The program itself: configuration, one clear line when it cannot run, and how it stops.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The program in an empty directory of its own, without our own environment's settings.
fn program(name: &str) -> (Command, PathBuf) {
    let directory = std::env::temp_dir().join(format!("aetherion-risk-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aetherion-risk"));
    command.env_clear().current_dir(&directory).stderr(Stdio::piped()).stdout(Stdio::piped());
    (command, directory)
}

fn refused(mut command: Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_bad_setting_is_one_line_and_exit_2() {
    let (mut command, _) = program("bad-setting");
    command.env("AETHERION_RISK_THREADS", "many");
    let expected = "aetherion-risk: AETHERION_RISK_THREADS: must be a whole number within 1..=1024, got \"many\"\n";
    assert_eq!(refused(command), (2, expected.into()));

    let (command, directory) = program("unknown-setting");
    std::fs::write(directory.join(".env"), "AETHERION_TRADING_X=1\nAETHERION_RISK_PORT=1\n").unwrap();
    let expected = "aetherion-risk: AETHERION_RISK_PORT=1: no such setting; the nearest is AETHERION_RISK_";
    let (code, line) = refused(command);
    assert_eq!(code, 2);
    assert!(line.starts_with(expected) && line.lines().count() == 1, "{line}");
}

#[test]
fn a_port_in_use_is_one_line_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (mut command, _) = program("port-in-use");
    command.env("AETHERION_RISK_LISTEN", &address);
    let expected = format!(
        "aetherion-risk: AETHERION_RISK_LISTEN: cannot listen on {address}: Address already in use (os error 98)\n"
    );
    assert_eq!(refused(command), (1, expected));
}

#[test]
fn it_says_where_it_listens_and_stops_cleanly_on_a_signal() {
    for signal in ["INT", "TERM"] {
        let (mut command, directory) = program(signal);
        std::fs::write(directory.join(".env"), "AETHERION_RISK_LISTEN=127.0.0.1:0\n").unwrap();
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        assert!(line.contains("INFO") && line.contains("listening address=127.0.0.1:"), "{line}");
        stop(&mut child, signal);
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("stopping") && rest.contains("stopped"), "{rest}");
    }
}

fn stop(child: &mut Child, signal: &str) {
    let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(0), "after {signal}");
}
