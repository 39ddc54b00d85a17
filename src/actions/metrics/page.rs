//! Prometheus' text format (version 0.0.4), as far as values are asked for: every line is a series with its value, a
//! comment, or a mistake. A page with a mistake is no page: half of one may be what a proxy's error page looks like.

use crate::runbook::series::Series;

/// A series with its value, as a line of the page says.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub series: Series,
    pub value: f64,
}

/// All series of a page, in its order.
///
/// # Errors
/// The line that is none, and what is wrong with it.
pub fn read(page: &str) -> Result<Vec<Sample>, String> {
    let lines = page.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let samples = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    samples.map(|(number, line)| sample(line).map_err(|wrong| format!("line {number}: {wrong}"))).collect()
}

fn sample(line: &str) -> Result<Sample, String> {
    let (series, rest) = Series::read(line)?;
    let before = &line[..line.len() - rest.len()];
    if !before.ends_with('}') && !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err("a name has a letter that it may not have".to_owned());
    }
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(|word| word.parse().ok());
    let time = words.next().map(str::parse::<i64>);
    match (value, time, words.next()) {
        (Some(value), None | Some(Ok(_)), None) => Ok(Sample { series, value }),
        (None, ..) => Err(format!("`{}` has no number", series.name)),
        _ => Err(format!("there is more behind the number of `{}`", series.name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP up Whether.\n# TYPE up gauge\nup{job=\"a b\"} 1 1700000000000\r\nup{job=\"b\"}0\n\n\
                    rpc_latency_seconds 1.25e-3\nodd NaN\nmost +Inf\n";
        let samples = read(page).unwrap();
        let values: Vec<_> = samples.iter().map(|sample| (sample.series.name.as_str(), sample.value)).collect();
        assert_eq!(values[..3], [("up", 1.0), ("up", 0.0), ("rpc_latency_seconds", 0.001_25)]);
        assert!(values[3].1.is_nan() && values[4].1.is_infinite());
        assert_eq!(samples[0].series.labels["job"], "a b");
    }

    #[test]
    fn a_page_with_a_mistake_is_none() {
        for (page, wrong) in [
            ("<html>", "line 1: `<html>` does not begin with a name"),
            ("up 1\nup", "line 2: `up` has no number"),
            ("up one", "line 1: `up` has no number"),
            ("up 1 2 3", "line 1: there is more behind the number of `up`"),
            ("up 1 1.5", "line 1: there is more behind the number of `up`"),
            ("up-1", "line 1: a name has a letter that it may not have"),
            ("up{a=\"1\" 1", "line 1: a comma or `}` is missing behind the label `a`"),
        ] {
            assert_eq!(read(page).unwrap_err(), wrong, "{page}");
        }
    }

    proptest! {
        #[test]
        fn every_number_that_is_written_is_read(value in any::<f64>().prop_filter("a number", |value| !value.is_nan())) {
            let samples = read(&format!("x{{a=\"b\"}} {value:?}\n")).unwrap();
            prop_assert_eq!(samples[0].value, value);
        }

        #[test]
        fn any_page_is_read_or_refused(page in "[a-z{}=\"\\\\,. \n#0-9é+-]{0,200}") {
            if let Ok(samples) = read(&page) {
                prop_assert!(samples.len() <= page.lines().count());
            }
        }
    }
}
