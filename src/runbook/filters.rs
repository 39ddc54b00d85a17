//! Filters of templates: how durations, sizes and counts are shown to people.
//!
//! Each takes "nothing" (an output that a failed step does not have) and says so, instead of failing a sentence that
//! somebody needs to read at 03:00.

use minijinja::{Environment, Error, ErrorKind, Value};

/// What is shown for a value that is not there.
const UNKNOWN: &str = "unknown";

/// Names of the filters that are added here.
pub const NAMES: [&str; 4] = ["duration", "bytes", "count", "age"];

pub fn add(environment: &mut Environment<'_>) {
    environment.add_filter("duration", |value: &Value| number(value, duration));
    environment.add_filter("bytes", |value: &Value| number(value, bytes));
    environment.add_filter("count", |value: &Value| number(value, |number| count(number.round())));
    environment.add_filter("age", |value: &Value| number(value, |seconds| format!("{} ago", duration(seconds))));
}

fn number(value: &Value, show: impl Fn(f64) -> String) -> Result<Value, Error> {
    if super::later::is_later(value) {
        return Ok(value.clone());
    }
    if value.is_none() {
        return Ok(Value::from(UNKNOWN));
    }
    match f64::try_from(value.clone()) {
        Ok(number) if number.is_finite() => Ok(Value::from(show(number))),
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("{} is not a number", named(value)))),
    }
}

/// A value in few words: it may be a list of millions.
fn named(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("`{}`", text.chars().take(60).collect::<String>()),
        None => format!("a {}", value.kind()),
    }
}

/// `7 min 40 s`: the two largest units.
pub fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    if seconds < 1.0 && seconds > 0.0 {
        return format!("{sign}{:.0} ms", seconds * 1000.0);
    }
    let mut left = seconds.round();
    let mut parts = Vec::new();
    for (unit, size) in [("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0)] {
        let units = (left / size).floor();
        left -= units * size;
        if units > 0.0 {
            parts.push(format!("{units} {unit}"));
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { format!("{sign}{}", parts.join(" ")) }
}

/// `12.3 MB`, in powers of ten, as disks are sold and `ls -h --si` shows.
pub fn bytes(size: f64) -> String {
    let mut size = size;
    for unit in ["B", "kB", "MB", "GB"] {
        if size.abs() < 999.5 {
            let digits = usize::from(unit != "B" && size.abs() < 99.95);
            return format!("{size:.digits$} {unit}");
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// `1,234,567`.
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if number < 0.0 { format!("-{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(duration(460.0), "7 min 40 s");
        assert_eq!(duration(0.0), "0 s");
        assert_eq!(duration(0.25), "250 ms");
        assert_eq!(duration(3600.0), "1 h");
        assert_eq!(duration(90_061.0), "1 d 1 h");
        assert_eq!(duration(-5.0), "-5 s");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(12_345_678.0), "12.3 MB");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(count(-999.0), "-999");
    }
}
