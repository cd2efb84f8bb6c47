//! One text for every value: JSON that means the same compares equal, and big numbers keep every digit.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Reason;

/// Values may be nested this deep.
const DEPTH_MAX: usize = 64;

/// The canonical text of null.
pub const NULL_TEXT: &str = "null";

/// The canonical text of one JSON value: no white space, object keys in order, strings escaped one way,
/// whole numbers without a fraction or an exponent where a double is exact (`1.0` and `1` are one value),
/// others as they were written if they are whole and as the nearest double if not.
///
/// # Errors
/// The value is nested deeper than 64 levels, or is no JSON.
pub fn canonical(json: &str) -> Result<Cow<'_, str>, Reason> {
    at_depth(json, 0)
}

fn at_depth(json: &str, depth: usize) -> Result<Cow<'_, str>, Reason> {
    if depth > DEPTH_MAX {
        return Err(Reason::TooDeep(DEPTH_MAX));
    }
    match json.as_bytes().first() {
        Some(b'"') if !json.contains('\\') => Ok(Cow::Borrowed(json)),
        Some(b'"') => {
            let text: String = parse(json)?;
            Ok(Cow::Owned(serde_json::to_string(&text).unwrap_or_default()))
        }
        Some(b'[') => {
            let parts: Vec<&RawValue> = parse(json)?;
            let mut text = String::from("[");
            for (i, part) in parts.into_iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                text.push_str(&at_depth(part.get(), depth + 1)?);
            }
            text.push(']');
            Ok(Cow::Owned(text))
        }
        Some(b'{') => {
            let parts: BTreeMap<String, &RawValue> = parse(json)?;
            let mut text = String::from("{");
            for (i, (name, part)) in parts.into_iter().enumerate() {
                text.push_str(if i == 0 { "" } else { "," });
                text.push_str(&serde_json::to_string(&name).unwrap_or_default());
                text.push(':');
                text.push_str(&at_depth(part.get(), depth + 1)?);
            }
            text.push('}');
            Ok(Cow::Owned(text))
        }
        Some(b'-' | b'0'..=b'9') => number(json),
        _ => Ok(Cow::Borrowed(json)),
    }
}

/// Doubles are exact for whole numbers up to here.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

fn number(json: &str) -> Result<Cow<'_, str>, Reason> {
    if json == "-0" {
        return Ok(Cow::Borrowed("0"));
    }
    if !json.contains(['.', 'e', 'E']) {
        return Ok(Cow::Borrowed(json));
    }
    let value: f64 = parse(json)?;
    Ok(Cow::Owned(if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
        (value as i64).to_string()
    } else {
        value.to_string()
    }))
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, Reason> {
    serde_json::from_str(json).map_err(|error| Reason::Json(super::line::explain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        for (json, text) in [
            ("1", "1"),
            ("1.0", "1"),
            ("1e2", "100"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0.5", "0.5"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#""\u0061\/""#, r#""a/""#),
            (r#"{"b" : [1.0, null],"a":true}"#, r#"{"a":true,"b":[1,null]}"#),
            ("null", NULL_TEXT),
        ] {
            assert_eq!(canonical(json).unwrap(), text);
        }
        assert!(canonical("1e999").is_err());
        assert!(canonical(r#""\ud800""#).is_err());
    }

    #[test]
    fn depth_has_a_bound() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(canonical(&nested(60)).is_ok());
        assert!(matches!(canonical(&nested(100_000)), Err(Reason::TooDeep(_))));
    }
}
