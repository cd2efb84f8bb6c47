//! The catalog: a file and one `mod` line add a workload.

mod group;
mod group_commit_first;
mod log;

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

#[cfg(test)]
mod tests {
    #[test]
    fn every_entry_is_named_and_explained() {
        let mut names: Vec<_> = super::CATALOG.iter().map(|spec| spec.name).collect();
        for spec in super::CATALOG {
            let kebab = spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(kebab, "`{}` is kebab-case", spec.name);
            assert!(
                !spec.summary.is_empty() && spec.summary.len() <= 79,
                "`{}` has a short summary",
                spec.name
            );
            assert!(!spec.docs.is_empty(), "`{}` is explained", spec.name);
            assert!(!spec.checks.is_empty(), "`{}` is judged by something", spec.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::CATALOG.len(), "names are unique");
    }
}
