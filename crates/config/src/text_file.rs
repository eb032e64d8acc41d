//! Reads the text files that a user names: the configuration, mappings, secrets, positions.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The limit of a text file.
const BYTES_MAX: u64 = 4 << 20;

/// Reads a whole text file, at most 4 MiB. It must be a regular file, or what a shell hands over as `/dev/stdin` or `/dev/fd/N`.
pub fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let is_handed_over = path == Path::new("/dev/stdin") || path.starts_with("/dev/fd");
    if !is_handed_over && let Some(fault) = fault(&fs::metadata(path)?) {
        return Err(io::Error::new(ErrorKind::InvalidInput, fault));
    }
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, TOO_LARGE));
    }
    Ok(bytes)
}

const TOO_LARGE: &str = "larger than 4 MiB";

/// Why a file that others will read as a text is none, as far as is known without opening it: opening a named pipe waits for a writer.
pub(crate) fn not_a_text(path: &Path) -> Option<&'static str> {
    // Whoever reads it says that it is missing.
    let about = fs::metadata(path).ok()?;
    fault(&about).or((about.len() > BYTES_MAX).then_some(TOO_LARGE))
}

/// Why a file is not one that has an end.
pub(crate) fn fault(about: &fs::Metadata) -> Option<&'static str> {
    match about {
        about if about.is_dir() => Some("it is a folder"),
        about if !about.is_file() => Some("it is not a regular file"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_file_without_an_end_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, large, text) = (dir.path().join("pipe"), dir.path().join("large"), dir.path().join("text"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // 10 GB that take no room.
        File::create(&large).unwrap().set_len(10 << 30).unwrap();
        fs::write(&text, "text").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for (path, said) in [
            (Path::new("/dev/zero"), "it is not a regular file"),
            (Path::new("/dev/urandom"), "it is not a regular file"),
            (link.as_path(), "it is not a regular file"),
            (pipe.as_path(), "it is not a regular file"),
            (dir.path(), "it is a folder"),
            (large.as_path(), "larger than 4 MiB"),
        ] {
            let (done, answer) = channel();
            let asked = path.to_owned();
            thread::spawn(move || done.send(read_bounded(&asked).map_err(|error| error.to_string())));
            let answer = answer.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(answer, Err(said.to_owned()), "{}", path.display());
            assert_eq!(not_a_text(path), Some(said), "{}", path.display());
        }
        assert_eq!(read_bounded(&text).unwrap(), b"text");
        assert_eq!(not_a_text(&text), None);
        assert_eq!(not_a_text(&dir.path().join("missing")), None);
    }
}
