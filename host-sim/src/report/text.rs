//! Numbers and names as the report writes them.

/// A loss; very large ones in powers of ten.
pub(super) fn decimal(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "not finite".into(),
        _ if value.abs() >= 1e6 => format!("{value:.3e}"),
        _ => format!("{value:.4}"),
    }
}

/// A share of 0 to 1 in percent.
pub(super) fn percent(share: f32) -> String {
    if share.is_finite() { format!("{:.1}%", f64::from(share) * 100.0) } else { "not finite".into() }
}

/// A time, without its unit.
pub(super) fn microseconds(time: f64) -> String {
    match time {
        _ if !time.is_finite() => "–".into(),
        _ if time < 10.0 => format!("{time:.2}"),
        _ => format!("{time:.1}"),
    }
}

/// A number with its thousands set apart.
pub(super) fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A region that can be scrolled with the keyboard too.
pub(super) fn scrollable(name: &str, class: &str, content: &str) -> String {
    format!("<div class=\"{class}\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">{content}</div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_stay_short() {
        assert_eq!(decimal(0.021_34), "0.0213");
        for value in [0.0, 1e-30, -5.5, f64::from(f32::MAX), f64::NAN, f64::INFINITY] {
            assert!(decimal(value).len() <= 10, "{value}");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 29_356, 1_000_000].map(group), ["0", "999", "1,000", "29,356", "1,000,000"]);
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
        assert_eq!(escape("µs – 漢字"), "µs – 漢字");
    }
}
