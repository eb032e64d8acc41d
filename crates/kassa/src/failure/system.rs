//! What the operating system, a disk or a network said, somewhere below an error: its code and its fix.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use kassa_lake::Refused;
use kassa_model::Code;

/// Code and fix.
pub type Judgement = (Code, Option<String>);

const SPACE: &str = "free space there, or raise the quota, and start again: what was acknowledged is stored";
const RIGHTS: &str = "give the user that runs kassa the right to read and write there";
const READ_ONLY: &str = "mount the file system writable; the kernel makes it read-only after errors of the disk (`dmesg`)";
const DISK: &str = "the disk or its connection fails: check `dmesg` and SMART, and move the folder to another disk";
const FILES: &str = "raise the limit of open files (`ulimit -n`, `LimitNOFILE`)";
const MEMORY: &str = "give the machine or the container more memory, or threads";
const NOT_THERE: &str = "check the path: a folder or a file is missing, or is of another kind";
const DAMAGED: &str = "`kassa prove` shows what is intact and what is not";
const SERVER: &str = "check that the server runs and is reachable from this machine";
const PORT: &str = "stop the other program, or use another port";

// Numbers of Linux and macOS that have no kind of their own.
const EIO: i32 = 5;
const ENXIO: i32 = 6;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EAGAIN: i32 = 11;

/// The first error of the system in a chain of causes. Errors that hide it from [`Error::source`] are opened.
pub fn below(error: &(dyn Error + 'static)) -> Option<Judgement> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = of(error) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The same, if it is about the machine or a server and not about the contents of a file: a file that is missing or too short is
/// evidence of damage where it was to be read.
pub fn outside(error: &(dyn Error + 'static)) -> Option<Judgement> {
    below(error).filter(|(_, fix)| fix.as_deref().is_some_and(|fix| fix != DAMAGED && fix != NOT_THERE))
}

fn of(error: &(dyn Error + 'static)) -> Option<Judgement> {
    if let Some(error) = error.downcast_ref::<Arc<io::Error>>() {
        return of_io(error);
    }
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        // It has the error within, and does not show it.
        return error.io_error_kind().map(of_kind);
    }
    error.downcast_ref::<io::Error>().and_then(of_io)
}

/// `None`: it only carries an error of ours, which is not the system's.
fn of_io(error: &io::Error) -> Option<Judgement> {
    if let Some(refused) = Refused::of(error) {
        return Some((Code::StoreRefused, Some(refused.fix.clone())));
    }
    if let Some(number) = error.raw_os_error() {
        return Some(of_number(number, error.kind()));
    }
    let within = error.get_ref().and_then(|within| below(within));
    within.or_else(|| (error.kind() != ErrorKind::Other).then(|| of_kind(error.kind())))
}

/// An error that was made a text on its way: by the number that the text has.
pub fn in_text(text: &str) -> Option<Judgement> {
    let (_, rest) = text.rsplit_once("(os error ")?;
    let number = rest.split_once(')')?.0.parse().ok()?;
    Some(of_number(number, io::Error::from_raw_os_error(number).kind()))
}

fn of_number(number: i32, kind: ErrorKind) -> Judgement {
    let fix = match number {
        EIO | ENXIO => DISK,
        ENFILE | EMFILE => FILES,
        EAGAIN => MEMORY,
        _ => return of_kind(kind),
    };
    (Code::StorageFailed, Some(fix.to_owned()))
}

fn of_kind(kind: ErrorKind) -> Judgement {
    let (code, fix) = match kind {
        ErrorKind::TimedOut
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => (Code::StoreUnreachable, SERVER),
        ErrorKind::AddrInUse => (Code::PortInUse, PORT),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => (Code::StorageFailed, SPACE),
        ErrorKind::PermissionDenied => (Code::StorageFailed, RIGHTS),
        ErrorKind::ReadOnlyFilesystem => (Code::StorageFailed, READ_ONLY),
        ErrorKind::OutOfMemory => (Code::StorageFailed, MEMORY),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => (Code::StorageFailed, NOT_THERE),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => (Code::StorageFailed, DAMAGED),
        _ => (Code::StorageFailed, DISK),
    };
    (code, Some(fix.to_owned()))
}

#[cfg(test)]
mod tests {
    use arrow::error::ArrowError;
    use kassa_model::Cause;

    use super::*;

    /// Every way in which the libraries below carry an error of the system.
    fn carried(number: i32) -> Vec<(&'static str, Box<dyn Error>)> {
        let raw = || io::Error::from_raw_os_error(number);
        let json = |error| serde_json::to_writer(Fails(Some(error)), &[1]).expect_err("it fails");
        vec![
            ("itself", Box::new(raw())),
            ("within another one", Box::new(io::Error::other(raw()))),
            ("within a cause", Box::new(Cause::at("a file", raw()))),
            ("as a cause of one", Box::new(io::Error::other(Cause::of(io::Error::other(raw()))))),
            ("shared", Box::new(Arc::new(raw()))),
            ("of Arrow", Box::new(ArrowError::IoError("could not write".to_owned(), raw()))),
            ("of a library behind Arrow", Box::new(ArrowError::ExternalError(Box::new(raw())))),
            ("of the index", Box::new(kassa_pipeline::dedupe::IndexError::Io { path: "index".into(), source: raw() })),
            ("of the lake", Box::new(kassa_lake::LogError::encode(io::Error::other(raw())))),
            ("of JSON", Box::new(json(raw()))),
        ]
    }

    /// Fails once, as a disk does.
    #[derive(Debug)]
    struct Fails(Option<io::Error>);

    impl io::Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.take().unwrap_or_else(|| io::Error::other("it failed before")))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_error_of_the_system_has_its_code_and_its_fix_however_it_is_carried() {
        let wanted = [
            (1, Code::StorageFailed, RIGHTS),
            (2, Code::StorageFailed, NOT_THERE),
            (5, Code::StorageFailed, DISK),
            (13, Code::StorageFailed, RIGHTS),
            (20, Code::StorageFailed, NOT_THERE),
            (23, Code::StorageFailed, FILES),
            (24, Code::StorageFailed, FILES),
            (27, Code::StorageFailed, SPACE),
            (28, Code::StorageFailed, SPACE),
            (30, Code::StorageFailed, READ_ONLY),
            (98, Code::PortInUse, PORT),
            (104, Code::StoreUnreachable, SERVER),
            (110, Code::StoreUnreachable, SERVER),
            (111, Code::StoreUnreachable, SERVER),
            (113, Code::StoreUnreachable, SERVER),
            (122, Code::StorageFailed, SPACE),
        ];
        for (number, code, fix) in wanted {
            for (how, error) in carried(number) {
                // JSON keeps the kind of an error and not its number.
                if how == "of JSON" && [EIO, ENFILE, EMFILE].contains(&number) {
                    continue;
                }
                assert_eq!(below(error.as_ref()), Some((code, Some(fix.to_owned()))), "os error {number} {how}");
            }
            let text = format!("could not write: {}", io::Error::from_raw_os_error(number));
            assert_eq!(in_text(&text), Some((code, Some(fix.to_owned()))), "{text}");
        }
        // All numbers have a code, and none is a defect.
        for number in 1..134 {
            let found = below(&io::Error::from_raw_os_error(number)).expect("a code").0;
            assert_ne!(found, Code::Defect, "os error {number}");
        }
    }

    #[test]
    fn an_error_of_ours_that_is_carried_by_one_of_the_system_is_not_the_systems() {
        assert_eq!(below(&io::Error::other("the rows do not fit the schema")), None);
        assert_eq!(below(&Cause::from("no bytes are left")), None);
        assert_eq!(in_text("no number here"), None);
        let missing = io::Error::from(ErrorKind::NotFound);
        assert_eq!(outside(&kassa_lake::LogError::corrupt_at("1.parquet", missing)), None);
        let failing = io::Error::from_raw_os_error(EIO);
        assert_eq!(
            outside(&kassa_lake::LogError::corrupt_at("1.parquet", failing)),
            Some((Code::StorageFailed, Some(DISK.to_owned())))
        );
    }
}
