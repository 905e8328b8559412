//! Dates as HTTP writes and reads them (RFC 9110 §5.6.7).

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Two digits from here on are of the last century: no date of ours lies before 1970, and none of a
/// caller's that matters fifty years ahead.
const FIRST_OF_LAST_CENTURY: u32 = 70;

/// The one way to write it. Written out, because what reads a pattern is larger than all conditions.
#[must_use]
pub fn write(seconds: i64) -> String {
    let moment = DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default();
    let month = MONTHS.get(moment.month0() as usize).copied().unwrap_or_default();
    let (weekday, day, year) = (moment.weekday(), moment.day(), moment.year());
    let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Seconds since 1970, in each of the three forms that a recipient must read; nothing for what is no
/// date. The weekday says nothing that the date does not.
#[must_use]
pub fn read(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (year, month, day, time) = match *words.as_slice() {
        [_weekday, day, month, year, time, "GMT"] => (number(year, 4)?, month, day, time),
        [_weekday, date, time, "GMT"] => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = number(year, 2)?;
            let century = if year < FIRST_OF_LAST_CENTURY { 2000 } else { 1900 };
            (century + year, month, day, time)
        }
        [_weekday, month, day, time, year] => (number(year, 4)?, month, day, time),
        _ => return None,
    };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let day = number(day, 2).or_else(|| number(day, 1))?;
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month, day)?;
    // A leap second may be written and is the second before it to us.
    let second = number(second, 2).filter(|second| *second <= 60)?.min(59);
    let moment = date.and_hms_opt(number(hour, 2)?, number(minute, 2)?, second)?;
    Some(moment.and_utc().timestamp())
}

/// Exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_the_specification_are_read_and_the_first_is_written() {
        let moment = 784_111_777;
        assert_eq!(write(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(read(text), Some(moment), "{text}");
        }
        assert_eq!(read("Friday, 20-Nov-26 19:59:09 GMT"), Some(1_795_204_749));
        assert_eq!(read("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_799));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "0",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37 +0900",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
