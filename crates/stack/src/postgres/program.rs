//! PostgreSQL's programs: their folder, and the user that runs them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{PostgresError, io};

#[derive(Debug, Clone)]
pub(super) struct Programs {
    folder: PathBuf,
    /// The user that runs them, if not the current one.
    user: Option<(u32, u32)>,
}

impl Programs {
    pub(super) fn find() -> Result<Self, PostgresError> {
        let folder = folders().find(|folder| folder.join("initdb").is_file()).ok_or(PostgresError::NotInstalled)?;
        let user = if rustix::process::geteuid().is_root() { Some(package_user()?) } else { None };
        Ok(Self { folder, user })
    }

    /// Gives a file or folder to the user that runs the programs.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        let Some((user, group)) = self.user else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(io(path.display().to_string()))
    }

    fn command(&self, program: &str) -> Command {
        let path = self.folder.join(program);
        let mut command = Command::new(path);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group).current_dir("/");
        }
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Runs a program to completion; returns its output.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Result<String, PostgresError> {
        finish(program, self.command(program).args(arguments))
    }

    pub(super) fn spawn(&self, program: &str, arguments: &[OsString], log: fs::File) -> Result<Child, PostgresError> {
        let copy = log.try_clone().map_err(io("the server's log"))?;
        self.command(program).args(arguments).stdout(log).stderr(copy).spawn().map_err(io(program))
    }

    /// Puts a fresh cluster into a folder.
    pub(super) fn copy_template(&self, to: &Path) -> Result<(), PostgresError> {
        let template = self.template()?;
        let mut copy = Command::new("cp");
        if let Some((user, group)) = self.user {
            copy.uid(user).gid(group).current_dir("/");
        }
        finish("cp", copy.arg("-a").arg(template).arg(to)).map(drop)
    }

    /// A cluster that was never started. It is created once per machine, because creating one takes
    /// two seconds and copying it a fifth of that.
    fn template(&self) -> Result<PathBuf, PostgresError> {
        let version = self.run("initdb", &["--version"])?;
        let version: String = version.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(12).collect();
        let uid = self.user.map_or_else(|| rustix::process::geteuid().as_raw(), |(user, _)| user);
        let template = std::env::temp_dir().join(format!("kassa-postgres-template-{version}-{uid}"));
        if template.join("PG_VERSION").is_file() {
            return Ok(template);
        }
        let making = tempfile::Builder::new().prefix("kassa-postgres-initdb-").tempdir().map_err(io("no temporary folder"))?;
        self.own(making.path())?;
        let fresh = making.path().join("template");
        let data = fresh.to_string_lossy().into_owned();
        self.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"])?;
        // Another process may have created the template first; then use that one.
        match fs::rename(&fresh, &template) {
            Err(error) if !template.join("PG_VERSION").is_file() => Err(io("could not keep the template")(error)),
            _ => Ok(template),
        }
    }
}

fn finish(program: &str, command: &mut Command) -> Result<String, PostgresError> {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().map_err(io(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let detail = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(PostgresError::Failed { program: program.to_owned(), detail })
}

/// Folders that may contain the programs, the best first.
fn folders() -> impl Iterator<Item = PathBuf> {
    let said = std::env::var_os("KASSA_POSTGRES_BIN").map(PathBuf::from);
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let path: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    said.into_iter().chain(versions.into_iter().rev().map(|(_, folder)| folder)).chain(path)
}

/// The package's user: PostgreSQL refuses to run as root.
fn package_user() -> Result<(u32, u32), PostgresError> {
    let passwd = fs::read_to_string("/etc/passwd").map_err(io("/etc/passwd"))?;
    let ids = |line: &str| {
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    passwd.lines().find(|line| line.starts_with("postgres:")).and_then(ids).ok_or(PostgresError::NotInstalled)
}
