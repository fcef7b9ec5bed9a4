//! Numbers: `12`, `1_000`, `0x1f`, `0755`, `1.5e3`.

use super::super::TemplateFault;
use super::{Kind, Lexer};

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Result<Kind, TemplateFault> {
        let start = self.at;
        let base = match (self.peek(0), self.peek(1)) {
            (Some('0'), Some('x' | 'X')) => 16,
            (Some('0'), Some('b' | 'B')) => 2,
            (Some('0'), Some('o' | 'O')) => 8,
            _ => 10,
        };
        if base != 10 {
            self.at += 2;
        }
        self.digits(base);
        let float = base == 10 && self.fraction();
        let odd = self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric());
        let text: String = self.characters[start..self.at].iter().filter(|c| **c != '_').collect();
        let kind = if float {
            text.parse().ok().map(Kind::Float)
        } else if base == 10 && text.len() > 1 && text.starts_with('0') {
            i64::from_str_radix(&text, 8).ok().map(Kind::Int)
        } else if base == 10 {
            text.parse().ok().map(Kind::Int)
        } else {
            text.get(2..).and_then(|digits| i64::from_str_radix(digits, base).ok()).map(Kind::Int)
        };
        kind.filter(|_| !odd).ok_or_else(|| self.trouble(start, "this number is not understood"))
    }

    fn digits(&mut self, base: u32) {
        while self.peek(0).is_some_and(|c| c.is_digit(base) || c == '_') {
            self.at += 1;
        }
    }

    fn fraction(&mut self) -> bool {
        let mut float = false;
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            float = true;
            self.at += 1;
            self.digits(10);
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.peek(1 + sign).is_some_and(|c| c.is_ascii_digit()) {
                float = true;
                self.at += 1 + sign;
                self.digits(10);
            }
        }
        float
    }
}
