use super::*;

/// The data set's archive, from `KASSA_TEST_DATA` or `../shared/data` next to the repository.
fn archive() -> Option<PathBuf> {
    let root = std::env::var_os("KASSA_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = root.join("uci-online-retail/by-day.tar.zst");
    if path.exists() {
        return Some(path);
    }
    let words = format!("SKIPPED: {} does not exist; set KASSA_TEST_DATA to the folder of the data sets", path.display());
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{words}");
    eprintln!("{words}");
    None
}

#[test]
fn a_year_of_a_real_shop_is_read_to_the_last_line() {
    let Some(archive) = archive() else { return };
    let dir = TempDir::new().unwrap();
    tar::Archive::new(zstd::Decoder::new(fs::File::open(archive).unwrap()).unwrap()).unpack(dir.path()).unwrap();
    let mut files: Vec<_> =
        walk(dir.path()).into_iter().filter(|path| path.extension().is_some_and(|name| name == "csv")).collect();
    files.sort();
    assert_eq!(files.len(), 305);
    let mut partitions = std::collections::BTreeSet::new();
    let (mut records, mut bytes) = (0, 0);
    for path in &files {
        let mut source = open(path, CSV);
        partitions.insert(source.partition().clone());
        while let Some(run) = source.next(8_192, 4 << 20).unwrap() {
            records += run.len();
            bytes += (0..run.len()).map(|index| run.value(index).len()).sum::<usize>();
        }
    }
    assert_eq!((records, partitions.len()), (541_909, 305));
    let headers = 305 * "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n".len();
    let on_disk: u64 = files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(bytes + records, on_disk as usize - headers, "every byte except line ends is in a record");
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
