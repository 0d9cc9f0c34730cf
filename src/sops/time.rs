//! Timestamps as sops reads and spells them: RFC 3339, and the wider forms that go-yaml takes for a date.
//!
//! Takes a text, gives the canonical text that is hashed. No clock, no calendar arithmetic beyond the length of months.

/// A moment as it was written, offset kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    date: (u32, u32, u32),
    clock: (u32, u32, u32),
    nanos: u32,
    /// Minutes east of UTC.
    offset: i32,
}

impl Time {
    /// A plain YAML scalar: `Y-M-D`, `Y-M-DTh:m:s[.f](Z|±hh:mm)`, or `Y-M-D h:m:s[.f]`, short fields allowed.
    pub(super) fn parse_yaml(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let mut time = Self { date: scan.date(1)?, clock: (0, 0, 0), nanos: 0, offset: 0 };
        match scan.0.first() {
            None => {}
            Some(b'T' | b't') => {
                scan.0 = &scan.0[1..];
                (time.clock, time.nanos) = scan.clock(1)?;
                time.offset = scan.offset()?;
            }
            Some(b' ') => {
                while let [b' ', rest @ ..] = scan.0 {
                    scan.0 = rest;
                }
                (time.clock, time.nanos) = scan.clock(1)?;
            }
            Some(_) => return None,
        }
        scan.0.is_empty().then_some(time)
    }

    /// RFC 3339, all fields at full width.
    pub(super) fn parse_rfc3339(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let date = scan.date(2)?;
        scan.literal(b'T')?;
        let (clock, nanos) = scan.clock(2)?;
        let offset = scan.offset()?;
        scan.0.is_empty().then_some(Self { date, clock, nanos, offset })
    }

    /// RFC 3339 with the fraction that is there, trailing zeros cut; `Z` for a zero offset.
    pub(super) fn text(&self) -> String {
        let mut fraction = String::new();
        if self.nanos > 0 {
            fraction = format!(".{:09}", self.nanos);
            fraction.truncate(fraction.trim_end_matches('0').len());
        }
        self.format(&fraction)
    }

    /// The same in whole seconds: the form of `lastmodified` that authenticates the MAC.
    pub(super) fn seconds(&self) -> String {
        self.format("")
    }

    fn format(&self, fraction: &str) -> String {
        let ((y, mo, d), (h, mi, s)) = (self.date, self.clock);
        let zone = match self.offset {
            0 => "Z".to_owned(),
            o => format!("{}{:02}:{:02}", if o < 0 { '-' } else { '+' }, o.abs() / 60, o.abs() % 60),
        };
        format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}{fraction}{zone}")
    }
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        (first == byte).then_some(())
    }

    /// Between `least` and `most` digits, as many as there are.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        (digits >= least).then(|| number.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    }

    fn date(&mut self, least: usize) -> Option<(u32, u32, u32)> {
        let year = self.number(4, 4)?;
        self.literal(b'-')?;
        let month = self.number(least, 2)?;
        self.literal(b'-')?;
        let day = self.number(least, 2)?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&day).then_some((year, month, day))
    }

    fn clock(&mut self, least: usize) -> Option<((u32, u32, u32), u32)> {
        let hour = self.number(least, 2)?;
        self.literal(b':')?;
        let minute = self.number(least, 2)?;
        self.literal(b':')?;
        let second = self.number(least, 2)?;
        let mut nanos = 0;
        if let [b'.' | b',', b'0'..=b'9', ..] = self.0 {
            let digits = self.0[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            // Beyond nanoseconds, digits are cut off.
            nanos = (0..9).fold(0, |n, i| n * 10 + if i < digits { u32::from(self.0[1 + i] - b'0') } else { 0 });
            self.0 = &self.0[1 + digits..];
        }
        (hour < 24 && minute < 60 && second < 60).then_some(((hour, minute, second), nanos))
    }

    fn offset(&mut self) -> Option<i32> {
        let sign = match self.0.split_first()? {
            (b'Z', rest) => {
                self.0 = rest;
                return Some(0);
            }
            (b'+', _) => 1,
            (b'-', _) => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2, 2)?;
        self.literal(b':')?;
        let minutes = self.number(2, 2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn yaml_forms_become_canonical_and_impossible_ones_stay_strings() {
        let cases = [
            ("2031-5-6", Some("2031-05-06T00:00:00Z")),
            ("2031-05-06T07:08:09,5Z", Some("2031-05-06T07:08:09.5Z")),
            ("2031-05-06  07:08:09", Some("2031-05-06T07:08:09Z")),
            ("2031-5-6t7:8:9+00:00", Some("2031-05-06T07:08:09Z")),
            ("2031-5-6T7:8:9.1234567891+05:30", Some("2031-05-06T07:08:09.123456789+05:30")),
            ("2031-05-06T07:08:09", None),
            ("2031-05-06T24:08:09Z", None),
            ("2031-05-06T007:08:09Z", None),
            ("2031-05-06T07:008:09Z", None),
            ("2031-05-06T07:08:009Z", None),
            ("2031-005-06", None),
            ("2031-05-006", None),
            ("12031-05-06", None),
            ("2031-05-06T07:08:09+005:30", None),
            ("2031-05-06T07:08:09+24:00", None),
            ("2031-05-06T07:08:09-05:60", None),
            ("2031-05-06T07:08:09-23:59", Some("2031-05-06T07:08:09-23:59")),
            ("2028-02-29", Some("2028-02-29T00:00:00Z")),
            ("2031-05-06T07:08:09+5:30", None),
            ("2031-05-06T07:08:09.Z", None),
            ("2031-05-06 07:08:09Z", None),
            ("2031-02-29", None),
            ("31-05-06", None),
            ("2031-05-01", Some("2031-05-01T00:00:00Z")),
            ("2031-1-1", Some("2031-01-01T00:00:00Z")),
            ("2031-12-31", Some("2031-12-31T00:00:00Z")),
            ("2031-01-31", Some("2031-01-31T00:00:00Z")),
            ("2031-04-30", Some("2031-04-30T00:00:00Z")),
            ("2031-04-31", None),
            ("2031-05-32", None),
            ("2031-05-00", None),
            ("2031-00-01", None),
            ("2031-13-01", None),
            ("2000-02-29", Some("2000-02-29T00:00:00Z")),
            ("1900-02-29", None),
            ("2031-05-06T07:08:09.000000001Z", Some("2031-05-06T07:08:09.000000001Z")),
            ("2031-05-06T07:08:09.10Z", Some("2031-05-06T07:08:09.1Z")),
            ("2031-05-06T07:08:09.0000000009Z", Some("2031-05-06T07:08:09Z")),
            ("2031-05-06T23:59:59+00:01", Some("2031-05-06T23:59:59+00:01")),
            ("2031-05-06T23:60:00Z", None),
            ("2031-05-06T23:59:60Z", None),
            ("2031-05-06T07:08:09+05:3", None),
            ("2031-05-06T07:08:09+0530", None),
            ("2031-05-06T07:08:09 05:30", None),
            ("2031-05-06T07:08:09Zx", None),
            ("2031-05-06x07:08:09Z", None),
            ("2031-05-06 ", None),
            ("2031/05/06", None),
        ];
        for (text, canonical) in cases {
            assert_eq!(Time::parse_yaml(text).map(|t| t.text()).as_deref(), canonical, "{text}");
        }
    }

    #[test]
    fn lastmodified_loses_its_fraction_and_its_zero_offset() {
        let seconds = |text| Time::parse_rfc3339(text).map(|t| t.seconds());
        assert_eq!(seconds("2026-11-20T22:32:23.5Z").as_deref(), Some("2026-11-20T22:32:23Z"));
        assert_eq!(seconds("2026-11-20T22:32:23+00:00").as_deref(), Some("2026-11-20T22:32:23Z"));
        assert_eq!(seconds("2026-11-20T22:32:23-03:00").as_deref(), Some("2026-11-20T22:32:23-03:00"));
        assert_eq!(seconds("2026-11-20"), None);
    }
}
