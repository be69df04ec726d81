use clap::CommandFactory as _;

use super::*;

fn run_args(flags: &[&str]) -> RunArgs {
    let line = ["standpipe-agent", "run", "stream.yaml"]
        .iter()
        .chain(flags);
    match Args::try_parse_from(line).unwrap().command {
        Command::Run(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_defaults_are_a_laptops() {
    let args = run_args(&[]);
    assert_eq!(args.wal_dir, PathBuf::from("./.standpipe/wal"));
    assert!(args.bind.is_loopback());
    assert_eq!(args.admin_bind, "127.0.0.1:8081".parse().unwrap());
    assert_eq!((args.log_level, args.drain_timeout), (None, None));
    assert!(!args.force_filesystem && !args.adopt_copy);
    assert_eq!(args.status, StatusMode::Auto);
}

#[test]
fn every_flag_is_taken() {
    let args = run_args(&[
        "--wal-dir=/w",
        "--bind=::1",
        "--admin-bind=[::1]:9",
        "--secrets-dir=/s",
        "--log-format=json",
        "--log-level=debug",
        "--drain-timeout=1500ms",
        "--force-filesystem",
        "--adopt-copy",
        "--status=plain",
    ]);
    assert_eq!(args.wal_dir, PathBuf::from("/w"));
    assert_eq!(args.bind, "::1".parse::<IpAddr>().unwrap());
    assert_eq!(args.admin_bind.port(), 9);
    assert_eq!(args.secrets_dir, PathBuf::from("/s"));
    assert_eq!(args.log_format, LogFormat::Json);
    assert_eq!(args.log_level, Some(LogLevel::Debug));
    assert_eq!(args.drain_timeout, Some(Duration::from_millis(1500)));
    assert!(args.force_filesystem && args.adopt_copy);
    assert_eq!(args.status, StatusMode::Plain);
}

#[test]
fn every_flag_has_a_help_text() {
    let mut root = Args::command();
    root.build();
    for command in root.get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {}",
                command.get_name(),
                arg.get_id()
            );
        }
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for line in [
        &["standpipe-agent"][..],
        &["standpipe-agent", "run"],
        &["standpipe-agent", "fly"],
        &["standpipe-agent", "run", "a", "b"],
        &["standpipe-agent", "run", "a", "--drain-timeout", "10"],
        &["standpipe-agent", "run", "a", "--bind", "localhost"],
        &["standpipe-agent", "check"],
    ] {
        let error = Args::try_parse_from(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
}

#[test]
fn times_need_a_unit_and_have_a_limit() {
    assert_eq!(duration("0s"), Ok(Duration::ZERO));
    assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
    assert_eq!(duration("24h"), Ok(Duration::from_hours(24)));
    for bad in [
        "",
        "5",
        "s",
        "-1s",
        "1.5s",
        "25h",
        "1d",
        "1 s",
        "99999999999999999999s",
    ] {
        assert!(duration(bad).unwrap_err().contains("30s"), "{bad}");
    }
}
