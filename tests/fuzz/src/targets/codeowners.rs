//! CODEOWNERS: rules between two markers; what stands outside of them is somebody's.

use tieline::secrets::owners::into_file;

const BEGIN: &str = "# tieline: begin (written by `tieline codeowners`)";
const END: &str = "# tieline: end";
const OURS: &str = "# tieline: begin (written by `tieline codeowners`)\n/a @a\n# tieline: end\n";

pub(crate) fn run(data: &[u8]) {
    let Ok(old) = std::str::from_utf8(data) else { return };
    match into_file(old, OURS) {
        Err(line) => assert!((1..=old.split('\n').count()).contains(&line), "{old:?}: line {line}"),
        Ok(new) => {
            let begin = new.find(OURS).unwrap_or_else(|| panic!("{new:?} has no rules of ours"));
            let (before, behind) = (&new[..begin], &new[begin + OURS.len()..]);
            let same = |line: &&str, marker: &str| line.trim_end() == marker;
            let begins = old.split('\n').filter(|line| same(line, BEGIN)).count();
            let ends = old.split('\n').filter(|line| same(line, END)).count();
            assert!(begins == ends && begins <= 1, "{old:?} is taken for whole");
            if begins == 0 {
                let kept = if old.is_empty() || old.ends_with('\n') { old.to_owned() } else { format!("{old}\n") };
                assert_eq!((before, behind), (&*kept, ""), "text is lost");
            } else {
                assert!(old.starts_with(before) && old.ends_with(behind), "{old:?} -> {new:?}");
                let gone = &old[before.len()..old.len() - behind.len()];
                let lines: Vec<&str> = gone.lines().collect();
                let ours = lines.first().is_some_and(|line| same(line, BEGIN))
                    && lines.last().is_some_and(|line| same(line, END));
                assert!(ours, "{gone:?} is lost");
            }
            assert_eq!(into_file(&new, OURS).as_ref(), Ok(&new), "a second time changes something");
        }
    }
}
