//! The secret of a lake, in `_kassa/key`: 32 hexadecimal digits. A new lake gets one before its first table, and all keys of its rows are
//! made with it. A lake that began without one has none until a rebuild makes its rows again.
//!
//! Who knows the secret can compute records whose keys collide. Roles that only read the lake's tables must not read this object.

use std::io;

use kassa_model::key::Secret;

use crate::delta::LogError;
use crate::format;
use crate::store::Store;

const FILE: &str = "_kassa/key";

/// The secret of the lake. `None`: the lake is new, or has keys without a secret. A lost secret is an error: keys of other making must not
/// be mixed into the lake.
pub fn read(store: &dyn Store) -> Result<Option<Secret>, LogError> {
    let secret = held(store)?;
    if secret.is_none() && format::needs_key(store)? && !format::is_new(store)? {
        let what = format!("{FILE} is missing: restore it from a backup, or run `kassa rebuild --apply`");
        return Err(LogError::Corrupt(what.into()));
    }
    Ok(secret)
}

/// The secret of the lake, if it has one.
pub fn held(store: &dyn Store) -> Result<Option<Secret>, LogError> {
    let bytes = match store.get(FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let secret = std::str::from_utf8(&bytes).ok().and_then(parse);
    secret.map(Some).ok_or_else(|| LogError::Corrupt(format!("{FILE} does not hold 32 hexadecimal digits").into()))
}

/// The secret of the lake; if the lake is new, the first one that a writer has put. `fresh` makes one. A writer must call this before its
/// first commit.
pub fn state(store: &dyn Store, fresh: impl FnOnce() -> io::Result<Secret>) -> Result<Option<Secret>, LogError> {
    // Another writer puts the secret before its first table: if this sees its tables, it sees the secret, too.
    let is_new = format::is_new(store)?;
    if let Some(secret) = read(store)? {
        return Ok(Some(secret));
    }
    if !is_new {
        return Ok(None);
    }
    store.put_new(FILE, text(fresh()?).as_bytes())?;
    read(store)
}

/// Puts the secret of a lake whose rows will be made with it: for the new star of a rebuild.
pub fn put(store: &dyn Store, secret: Secret) -> Result<(), LogError> {
    Ok(store.put(FILE, text(secret).as_bytes())?)
}

/// Gives the lake the secret of a new star, whose rows replace all of the lake's.
pub(crate) fn adopt(store: &dyn Store, star: &dyn Store) -> Result<(), LogError> {
    let Some(secret) = read(star)? else { return Ok(()) };
    // A rebuild that was interrupted may have put it, or another one, whose rows this exchange replaces.
    if !store.put_new(FILE, text(secret).as_bytes())? && held(store)? != Some(secret) {
        put(store, secret)?;
    }
    format::raise(store)
}

/// A secret as it is stored.
pub fn text(secret: Secret) -> String {
    format!("{:032x}\n", u128::from_be_bytes(secret))
}

/// The secret in a stored text.
pub fn parse(text: &str) -> Option<Secret> {
    let digits = text.trim();
    let is_whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::Folder;

    const SECRET: Secret = [0xA5; 16];
    const OTHER: Secret = [9; 16];

    fn lake() -> (TempDir, Folder) {
        let dir = TempDir::new().expect("a folder");
        let store = Folder::new(dir.path().join("lake"));
        (dir, store)
    }

    fn with_table(store: &Folder) {
        store.put("DWH/spans/_delta_log/00000000000000000000.json", b"{}").expect("a table");
    }

    fn never() -> io::Result<Secret> {
        Err(io::Error::other("no secret is wanted"))
    }

    #[test]
    fn a_new_lake_gets_one_secret_and_an_old_lake_none() {
        let (_dir, store) = lake();
        assert_eq!(read(&store).expect("no lake yet"), None);
        assert_eq!(state(&store, || Ok(SECRET)).expect("put"), Some(SECRET));
        assert_eq!(store.get(FILE).expect("a file"), b"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\n");
        with_table(&store);
        assert_eq!(state(&store, never).expect("held"), Some(SECRET));
        assert_eq!(read(&store).expect("held"), Some(SECRET));

        let (_dir, old) = lake();
        with_table(&old);
        assert_eq!(state(&old, never).expect("an old lake"), None);
        assert_eq!(read(&old).expect("an old lake"), None);
    }

    #[test]
    fn of_two_writers_that_begin_a_lake_the_first_decides() {
        let (_dir, store) = lake();
        let first = state(&store, || {
            put(&store, OTHER).map_err(io::Error::other)?;
            Ok(SECRET)
        });
        assert_eq!(first.expect("the other's"), Some(OTHER));
    }

    #[test]
    fn a_lost_or_torn_secret_is_an_error_and_not_another_way_to_make_keys() {
        let (_dir, store) = lake();
        format::state(&store).expect("a format");
        assert_eq!(read(&store).expect("no table yet"), None);
        with_table(&store);
        assert!(matches!(read(&store), Err(LogError::Corrupt(_))));
        assert!(matches!(state(&store, never), Err(LogError::Corrupt(_))));
        assert_eq!(held(&store).expect("for a rebuild"), None);
        for torn in ["", "a5a5", "+5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"] {
            store.put(FILE, torn.as_bytes()).expect("put");
            assert!(matches!(read(&store), Err(LogError::Corrupt(_))), "{torn}");
        }
    }

    #[test]
    fn a_rebuild_gives_an_old_lake_a_secret_and_the_format_that_needs_it() {
        let ((_dir, old), (_other, star)) = (lake(), lake());
        with_table(&old);
        put(&star, SECRET).expect("put");
        adopt(&old, &star).expect("adopted");
        assert_eq!(read(&old).expect("held"), Some(SECRET));
        assert!(format::needs_key(&old).expect("a format"));
        put(&star, OTHER).expect("put");
        adopt(&old, &star).expect("adopted after an interrupted rebuild");
        assert_eq!(read(&old).expect("held"), Some(OTHER));
    }
}
