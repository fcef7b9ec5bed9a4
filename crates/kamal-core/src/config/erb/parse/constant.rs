//! The few things outside a template it may ask for: `ENV`, `File`, and one helper of Kamal's own.

use super::super::Trouble;
use super::super::ast::{Expression, Kind as E, Place};
use super::super::lex::Kind;
use super::Parser;

impl Parser {
    pub(super) fn constant(&mut self, name: &str, place: Place) -> Result<Expression, Trouble> {
        let unknown = || Trouble::unknown(place, format!("`{name}` is not understood"));
        if name == "ENV" && !self.token().spaced && self.take("[") {
            let key = Box::new(self.expression()?);
            self.expect("]")?;
            return Ok(Expression { place, kind: E::Env(key) });
        }
        let scoped = self.take("::");
        if scoped && name == "Kamal" && matches!(self.peek(), Kind::Constant(inner) if inner == "Utils") {
            self.advance();
        } else if scoped || name == "Kamal" {
            return Err(unknown());
        }
        if !self.take(".") {
            return Err(unknown());
        }
        let Kind::Name(method) = self.advance().kind else { return Err(unknown()) };
        let arguments = self.arguments()?;
        let mut arguments = arguments.into_iter().map(Box::new);
        let kind = match (name, method.as_str(), arguments.next(), arguments.next(), arguments.next()) {
            ("ENV", "fetch", Some(key), default, None) => {
                let default = match self.block()? {
                    Some(_) if default.is_some() => return Err(unknown()),
                    Some(block) => {
                        let body = E::If {
                            condition: Box::new(Expression { place, kind: E::Bool(true) }),
                            then: block.body,
                            otherwise: Vec::new(),
                        };
                        Some(Box::new(Expression { place, kind: body }))
                    }
                    None => default,
                };
                E::EnvFetch(key, default)
            }
            ("ENV", "key?" | "has_key?" | "include?" | "member?", Some(key), None, None) => E::EnvHas(key),
            ("File", "read", Some(path), None, None) => E::ReadFile(path),
            ("File", "exist?" | "file?", Some(path), None, None) => E::FileExists(path),
            ("Kamal", "docker_arch", None, None, None) => E::DockerArch,
            _ => {
                let message = format!("`{name}.{method}` is not understood");
                return Err(Trouble::unknown(place, message));
            }
        };
        Ok(Expression { place, kind })
    }
}
