use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(file: &OsFile, bytes: &[u8], offset: u64) {
    file.write_all_at(&mut [IoSlice::new(bytes)], offset)
        .unwrap();
}

#[test]
fn a_file_is_made_once_with_mode_0600_and_read_back() {
    let directory = directory();
    let path = directory.path().join("a");
    let file = OsFs.open(&path, OpenMode::CreateNew).unwrap();
    write(&file, b"hello world", 0);
    write(&file, b"W", 6);
    file.sync_data().unwrap();
    file.drop_cache().unwrap();
    let mut bytes = [0; 11];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"hello World");
    assert_eq!(file.read_at(&mut bytes, 11).unwrap(), 0);
    assert_eq!(file.length().unwrap(), 11);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = OsFs.open(&path, OpenMode::CreateNew).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn more_parts_than_one_call_takes_are_all_written() {
    let directory = directory();
    let file = OsFs
        .open(&directory.path().join("a"), OpenMode::CreateNew)
        .unwrap();
    let bytes: Vec<[u8; 1]> = (0..3000_u32).map(|i| [i.to_le_bytes()[0]]).collect();
    let mut parts: Vec<IoSlice<'_>> = bytes.iter().map(|b| IoSlice::new(b)).collect();
    file.write_all_at(&mut parts, 5).unwrap();
    let mut read = vec![0; 3000];
    file.read_exact_at(&mut read, 5).unwrap();
    assert_eq!(read, bytes.concat());
}

#[test]
fn a_link_and_a_rename_never_replace() {
    let directory = directory();
    let [a, b, c] = ["a", "b", "c"].map(|name| directory.path().join(name));
    for path in [&a, &b] {
        OsFs.open(path, OpenMode::CreateNew).unwrap();
    }
    for refused in [OsFs.link(&a, &b), OsFs.rename_noreplace(&a, &b)] {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    OsFs.link(&a, &c).unwrap();
    assert_eq!(OsFs.stat(&a).unwrap().inode, OsFs.stat(&c).unwrap().inode);
    OsFs.rename(&a, &b).unwrap();
    let mut names = OsFs.list(directory.path()).unwrap();
    names.sort();
    assert_eq!(names, ["b", "c"]);
    OsFs.sync_dir(directory.path()).unwrap();
}

#[test]
fn a_symbolic_link_is_stated_but_not_opened() {
    let directory = directory();
    let [file, link] = ["file", "link"].map(|name| directory.path().join(name));
    OsFs.open(&file, OpenMode::CreateNew).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(OsFs.stat(&link).unwrap().kind, FileKind::File);
    let refused = OsFs.open(&link, OpenMode::Read).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
}

#[test]
fn directories_are_0700_and_leave_when_empty() {
    let directory = directory();
    let path = directory.path().join("d");
    OsFs.mkdir(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let stat = OsFs.stat(&path).unwrap();
    assert_eq!(stat.kind, FileKind::Directory);
    OsFs.remove_dir(&path).unwrap();
    assert_eq!(
        OsFs.stat(&path).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
}

#[test]
fn a_lock_holds_until_its_file_is_closed() {
    let directory = directory();
    let path = directory.path().join("lock");
    let first = OsFs.open(&path, OpenMode::CreateNew).unwrap();
    let second = OsFs.open(&path, OpenMode::ReadWrite).unwrap();
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn an_allocation_that_does_not_fit_leaves_the_length_as_it_was() {
    let directory = directory();
    let file = OsFs
        .open(&directory.path().join("a"), OpenMode::CreateNew)
        .unwrap();
    write(&file, b"abc", 0);
    assert!(file.allocate(1 << 60).is_err(), "no disk is that large");
    assert_eq!(file.length().unwrap(), 3);
    file.allocate(8192).unwrap();
    assert_eq!(file.length().unwrap(), 8192);
    file.set_length(2).unwrap();
    assert_eq!(file.length().unwrap(), 2);
}

#[test]
fn file_systems_that_prove_nothing_are_refused_by_name_w_4() {
    assert_eq!(fs_type_of(0xEF53), FsType::Local);
    assert_eq!(fs_type_of(OVERLAY), FsType::Overlay);
    assert_eq!(fs_type_of(0x6969), FsType::Refused("NFS"));
    assert_eq!(fs_type_of(0x6573_5546), FsType::Refused("FUSE"));
    assert_eq!(
        OsFs.fs_type(Path::new("/dev/shm")).unwrap(),
        FsType::Refused("tmpfs")
    );
    assert!(OsFs.available(Path::new("/")).unwrap() > 0);
}
