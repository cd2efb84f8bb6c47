//! What a power failure leaves of each kind of file.

use std::fs;
use std::path::Path;

use wire::power::{Lost, Note, fail, note_path, replace};

fn growing(path: &Path, contents: &[u8], durable: Option<u64>) {
    fs::write(path, contents).expect("writes");
    if let Some(durable) = durable {
        Note::beside(path).write(durable).expect("notes");
    }
}

#[test]
fn each_file_keeps_what_was_durable_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    growing(&at("half.log"), b"0123456789", Some(4));
    growing(&at("whole.log"), b"0123456789", Some(10));
    growing(&at("never.log"), b"0123456789", None);
    fs::create_dir(at("young")).expect("a folder");
    growing(&at("young/never.log"), b"0123", None);
    replace(&at("checkpoint"), b"old").expect("replaces");
    replace(&at("checkpoint"), b"and a longer new one").expect("replaces");
    fs::write(at("checkpoint.new"), b"left by a crash").expect("writes");

    let lost = fail(folder.path(), None).expect("fails");
    assert_eq!(fs::read(at("half.log")).expect("reads"), b"0123");
    assert_eq!(fs::read(at("whole.log")).expect("reads").len(), 10);
    assert!(!at("never.log").exists() && !at("young").exists() && !at("checkpoint.new").exists());
    assert_eq!(fs::read(at("checkpoint")).expect("reads"), b"and a longer new one");
    assert_eq!(lost, Lost { files: 4, bytes: 6 + 10 + 4 + 15 });
    assert_eq!(fail(folder.path(), None).expect("fails"), Lost::default(), "it loses nothing twice");
}

#[test]
fn a_torn_write_leaves_a_part_whose_end_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("torn.log");
    growing(&path, &[7; 4000], Some(1000));
    let lost = fail(folder.path(), Some(&mut |bytes| bytes / 2)).expect("fails");
    let left = fs::read(&path).expect("reads");
    assert_eq!((left.len(), lost.bytes), (2500, 1500));
    assert!(left[..2244].iter().all(|byte| *byte == 7) && left[2244..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_note_that_was_never_finished_promises_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("some.log");
    growing(&path, b"0123", None);
    fs::write(note_path(&path), b"").expect("writes");
    fail(folder.path(), None).expect("fails");
    assert_eq!(fs::read(&path).expect("reads"), b"");
}
