//! "Did you mean": the nearest of the words that are allowed.
//!
//! Only a near word is offered; a wrong offer at 03:00 is worse than none.

/// The word of `allowed` that `word` is most likely a slip of.
pub fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str, IntoIter: Clone>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let allowed = allowed.into_iter();
    allowed
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| the_only_longer(&word, allowed))
}

/// `int` is `integer`, when nothing else begins like that.
fn the_only_longer<'a>(word: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut longer = allowed.filter(|candidate| word.len() >= 3 && candidate.starts_with(word));
    longer.next().filter(|_| longer.next().is_none())
}

/// What to do about a word that is not among the allowed: the near word, and all that may be written.
pub fn help<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let mut allowed: Vec<&str> = allowed.into_iter().collect();
    allowed.sort_unstable();
    allowed.dedup();
    let near = nearest(word, allowed.iter().copied());
    let list = match allowed.as_slice() {
        [] => "nothing may stand here".to_owned(),
        words => format!("allowed: {}", words.join(", ")),
    };
    match near {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_offered() {
        let allowed = ["timeout", "retry", "outputs"];
        assert_eq!(nearest("tiemout", allowed), Some("timeout"));
        assert_eq!(nearest("Retry", allowed), Some("retry"));
        assert_eq!(nearest("colour", allowed), None);
        assert_eq!(
            (nearest("int", ["integer", "number"]), nearest("ret", ["retry", "retries"])),
            (Some("integer"), None)
        );
        assert_eq!(help("outptus", allowed), "did you mean `outputs`? allowed: outputs, retry, timeout");
    }
}
