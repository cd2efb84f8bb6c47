//! The group's findings, on histories written by hand and on thousands drawn from seeds.
