//! How values print: `to_s` and `inspect`. Only for values that have been measured.

use super::super::super::ruby::quote;
use super::super::super::yaml::scalar::float_text;
use super::super::time;
use super::Value;

impl Value {
    /// Ruby's `to_s`.
    pub(crate) fn print(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float_text(*value),
            Self::Text(text) => text.borrow().clone(),
            Self::Symbol(text) | Self::Path(text) | Self::Uri(text) | Self::Module(text) => text.to_string(),
            Self::List(_) | Self::Map(_) => self.inspect(),
            Self::Range(range) => {
                let dots = if range.exclusive { "..." } else { ".." };
                format!("{}{dots}{}", range.first.print(), range.last.print())
            }
            Self::Regexp(regexp) => regexp.print(),
            Self::Match(found) => found.text(0).unwrap_or_default(),
            Self::Time(at) => time::format(at, if at.offset().is_zero() { "%F %T UTC" } else { "%F %T %z" }),
            Self::Date(date) => date.to_string(),
            Self::Error(error) => error.message.clone(),
            Self::Status(status) => format!("pid 1 exit {status}"),
            Self::Env => "ENV".to_owned(),
            Self::Main => "main".to_owned(),
            Self::Proc(_) | Self::Series(_) | Self::Stream(_) | Self::Template(_) => format!("#<{}>", self.class()),
        }
    }

    /// Ruby's `inspect`.
    pub(crate) fn inspect(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Text(text) => quote(&text.borrow()),
            Self::Symbol(name) if is_plain(name) => format!(":{name}"),
            Self::Symbol(name) => format!(":{}", quote(name)),
            Self::List(list) => {
                let items: Vec<String> = list.items().iter().map(Self::inspect).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(map) => {
                let pair = |(key, value): &(Self, Self)| format!("{}=>{}", key.inspect(), value.inspect());
                format!("{{{}}}", map.pairs().iter().map(pair).collect::<Vec<_>>().join(", "))
            }
            Self::Range(range) => {
                let dots = if range.exclusive { "..." } else { ".." };
                let end = |value: &Self| if value.is_nil() { String::new() } else { value.inspect() };
                format!("{}{dots}{}", end(&range.first), end(&range.last))
            }
            Self::Regexp(regexp) => format!("/{}/{}", regexp.source, regexp.flags),
            Self::Path(path) => format!("#<Pathname:{path}>"),
            Self::Uri(uri) => format!("#<URI::Generic {uri}>"),
            Self::Error(error) => format!("#<{}: {}>", error.class, error.message),
            Self::Match(found) => format!("#<MatchData {}>", quote(&found.text(0).unwrap_or_default())),
            other => other.print(),
        }
    }
}

/// Whether a symbol needs no quotes.
fn is_plain(name: &str) -> bool {
    let name = name.strip_suffix(['?', '!', '=']).unwrap_or(name);
    let mut characters = name.chars();
    let word = characters.next().is_some_and(|c| c.is_alphabetic() || "_@$".contains(c))
        && characters.all(|c| c.is_alphanumeric() || c == '_' || c == '@');
    word || ["+", "-", "*", "/", "%", "**", "<", ">", "<=", ">", "==", "<=>", "===", "[]", "[]=", "<<", ">>"]
        .contains(&name)
}
