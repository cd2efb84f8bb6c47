//! The core stays sans-IO: its sources name nothing that waits, reads, writes or guesses.

use std::fs;
use std::path::Path;

#[test]
fn the_core_holds_no_clock_thread_socket_file_or_chance() {
    let banned = [
        "std::time",
        "tokio",
        "std::net",
        "std::fs",
        "std::thread",
        "rand::",
        "Instant",
        "SystemTime",
        "HashMap",
    ];
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core")];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                // Tests are no part of the core; this very file names what it bans.
                if !path.ends_with("core/tests") {
                    open.push(path);
                }
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable source");
            seen += 1;
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for word in banned {
                    // `Errand::` is no dice.
                    let within = |at: usize| line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                    let named = line.match_indices(word).any(|(at, _)| !within(at));
                    assert!(!named, "{}: `{word}` in `{line}`", path.display());
                }
            }
        }
    }
    assert!(seen > 10, "the sources were found");
}
