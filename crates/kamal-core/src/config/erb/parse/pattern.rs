//! Patterns behind `in`.

use std::rc::Rc;

use super::super::TemplateFault;
use super::super::ast::Pattern;
use super::super::lex::{Kind, Part};
use super::{Parser, operators::LOOSEST};

impl Parser {
    /// A pattern whose brackets or braces may be left out.
    pub(super) fn top_pattern(&mut self) -> Result<Pattern, TemplateFault> {
        if matches!(self.peek(), Kind::Label(_)) {
            return self.map_pattern("then");
        }
        let first = self.pattern()?;
        if !self.at_op(",") {
            return Ok(first);
        }
        let mut list = vec![first];
        while self.take(",") {
            list.push(self.pattern()?);
        }
        Ok(Pattern::List(list, None, Vec::new()))
    }

    fn pattern(&mut self) -> Result<Pattern, TemplateFault> {
        self.deeper()?;
        let mut either = vec![self.one_pattern()?];
        while self.take("|") {
            either.push(self.one_pattern()?);
        }
        let mut pattern =
            if either.len() > 1 { Pattern::Either(either) } else { either.pop().unwrap_or(Pattern::Name("_".into())) };
        if self.take("=>") {
            let Kind::Name(name) = self.advance().kind else { return Err(self.unexpected()) };
            let name: Rc<str> = name.into();
            self.declare(&name);
            pattern = Pattern::Bound(Box::new(pattern), name);
        }
        self.depth -= 1;
        Ok(pattern)
    }

    fn one_pattern(&mut self) -> Result<Pattern, TemplateFault> {
        if self.take("{") {
            return self.map_pattern("}");
        }
        if self.take("[") {
            return self.list_pattern();
        }
        if self.take("^") {
            return Ok(Pattern::Value(self.operand()?));
        }
        if let Kind::Name(name) = self.peek().clone()
            && !matches!(name.as_str(), "nil" | "true" | "false" | "self")
            && !matches!(self.peek_at(1), Kind::Op("(" | "." | "[" | "&."))
        {
            self.advance();
            let name: Rc<str> = name.into();
            self.declare(&name);
            return Ok(Pattern::Name(name));
        }
        // `|` separates patterns here.
        self.binary(LOOSEST, false).map(Pattern::Value)
    }

    fn list_pattern(&mut self) -> Result<Pattern, TemplateFault> {
        let (mut before, mut rest, mut after) = (Vec::new(), None, Vec::new());
        while !self.take("]") {
            self.skip_newlines();
            if self.take("*") {
                let Kind::Name(name) = self.peek().clone() else {
                    rest = Some(None);
                    self.take(",");
                    continue;
                };
                self.advance();
                let name: Rc<str> = name.into();
                self.declare(&name);
                rest = Some(Some(name));
            } else if rest.is_some() {
                after.push(self.pattern()?);
            } else {
                before.push(self.pattern()?);
            }
            self.skip_newlines();
            if !self.take(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Pattern::List(before, rest, after))
    }

    fn map_pattern(&mut self, close: &str) -> Result<Pattern, TemplateFault> {
        let mut entries = Vec::new();
        loop {
            if close == "}" {
                self.skip_newlines();
                if self.take("}") {
                    break;
                }
            }
            let Kind::Label(parts) = self.peek().clone() else { return Err(self.unexpected()) };
            let [Part::Literal(name)] = &parts[..] else { return Err(self.unexpected()) };
            let name: Rc<str> = name.as_str().into();
            self.advance();
            let alone = matches!(self.peek(), Kind::Newline | Kind::Op("," | "}")) || self.at_word("then");
            entries.push((Rc::clone(&name), if alone { None } else { Some(self.pattern()?) }));
            if alone {
                self.declare(&name);
            }
            if self.take(",") {
                continue;
            }
            if close == "}" {
                self.skip_newlines();
                self.expect("}")?;
            }
            break;
        }
        Ok(Pattern::Map(entries))
    }
}
