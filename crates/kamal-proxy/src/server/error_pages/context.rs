//! Where in a page a message stands, and how it is written there so that it is text and nothing else (as Go's
//! `html/template` does it): between tags, in an attribute, in a script.

/// How the message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Between tags, and in quoted attributes.
    Text,
    /// In an attribute without quotes, which a blank would end.
    Bare,
    /// Where an address stands.
    Url,
    /// In a script, as a string of its own.
    Script,
    /// In a string of a script.
    ScriptString,
    /// Nowhere: in comments, styles and names there is no way to write just any text.
    Never,
}

/// What a page is at, having been read up to somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Context {
    state: State,
    /// The tag that is open, and its attribute, in lower case.
    tag: String,
    attribute: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Text,
    Comment,
    /// At the name of a tag, or between its attributes.
    Tag,
    Attribute,
    /// Behind the `=` of an attribute.
    BeforeValue,
    /// In the value of an attribute, up to this quote or to a blank.
    Value(Option<char>),
    /// In what a tag holds that is no markup, and within a string there.
    Raw(Option<char>),
}

/// Elements that hold text of their own kind up to their end.
const RAW: [&str; 2] = ["script", "style"];
/// Attributes whose value is an address.
const URLS: [&str; 12] = [
    "action",
    "background",
    "cite",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "src",
    "xlink:href",
];

impl Context {
    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = self.step(rest, next);
            rest = &rest[length..];
        }
    }

    /// Takes one thing off the front of a text; gives its length.
    fn step(&mut self, text: &str, next: char) -> usize {
        let one = next.len_utf8();
        match self.state {
            State::Text if text.starts_with("<!--") => self.enter(State::Comment, 4),
            State::Text if next == '<' => {
                let name = text[1..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '/')).next().unwrap_or("");
                self.tag = name.to_ascii_lowercase();
                if name.is_empty() { one } else { self.enter(State::Tag, 1 + name.len()) }
            }
            State::Comment if text.starts_with("-->") => self.enter(State::Text, 3),
            State::Tag | State::Attribute | State::BeforeValue if next == '>' => {
                let state = if RAW.contains(&self.tag.as_str()) { State::Raw(None) } else { State::Text };
                self.enter(state, one)
            }
            State::Attribute | State::Tag if next == '=' => self.enter(State::BeforeValue, one),
            State::Tag if !next.is_whitespace() && next != '/' => {
                self.attribute = next.to_ascii_lowercase().to_string();
                self.enter(State::Attribute, one)
            }
            State::Attribute if next.is_whitespace() => self.enter(State::Tag, one),
            State::Attribute => {
                self.attribute.push(next.to_ascii_lowercase());
                one
            }
            State::BeforeValue if next.is_whitespace() => one,
            State::BeforeValue if next == '"' || next == '\'' => self.enter(State::Value(Some(next)), one),
            State::BeforeValue => self.enter(State::Value(None), 0),
            State::Value(Some(quote)) if next == quote => self.enter(State::Tag, one),
            State::Value(None) if next.is_whitespace() || next == '>' => self.enter(State::Tag, 0),
            State::Raw(_) if self.ends_raw(text) => {
                let length = 2 + self.tag.len();
                self.enter(State::Tag, length)
            }
            State::Raw(Some(quote)) if next == quote => self.enter(State::Raw(None), one),
            State::Raw(Some(_)) if next == '\\' => one + text[one..].chars().next().map_or(0, char::len_utf8),
            State::Raw(None) if matches!(next, '"' | '\'' | '`') => self.enter(State::Raw(Some(next)), one),
            _ => one,
        }
    }

    fn enter(&mut self, state: State, length: usize) -> usize {
        if let (State::Raw(_), State::Tag) = (self.state, state) {
            self.tag.insert(0, '/');
        }
        self.state = state;
        length
    }

    fn ends_raw(&self, text: &str) -> bool {
        let end = text.strip_prefix("</").and_then(|rest| rest.get(..self.tag.len()));
        end.is_some_and(|name| name.eq_ignore_ascii_case(&self.tag))
    }

    /// How a message is written here.
    pub(super) fn escape(&self) -> Escape {
        let is_script = self.attribute.starts_with("on");
        match self.state {
            State::Text => Escape::Text,
            State::Value(_) | State::BeforeValue if is_script || self.attribute == "style" => Escape::Never,
            State::Value(_) | State::BeforeValue if URLS.contains(&self.attribute.as_str()) => Escape::Url,
            State::Value(Some(_)) => Escape::Text,
            State::Value(None) | State::BeforeValue => Escape::Bare,
            State::Raw(quote) if self.tag == "script" => match quote {
                Some(_) => Escape::ScriptString,
                None => Escape::Script,
            },
            State::Raw(_) | State::Comment | State::Tag | State::Attribute => Escape::Never,
        }
    }

    /// What stood here is passed.
    pub(super) fn passed(&mut self) {
        if self.state == State::BeforeValue {
            self.state = State::Value(None);
        }
    }
}

impl Escape {
    /// A message as it is written.
    pub(super) fn apply(self, message: &str) -> String {
        match self {
            Self::Text => text(message),
            Self::Bare => message
                .chars()
                .map(|c| if c.is_alphanumeric() { c.into() } else { format!("&#{};", u32::from(c)) })
                .collect(),
            Self::Url => url(message),
            Self::Script => format!("\"{}\"", script(message)),
            Self::ScriptString => script(message),
            Self::Never => String::new(),
        }
    }
}

/// Escapes text for HTML, quotes included, as Go does.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// An address, of no kind that does something, and without what ends an attribute.
fn url(message: &str) -> String {
    let scheme = message.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
    if scheme.is_some_and(|scheme| !["http", "https", "mailto"].iter().any(|fine| scheme.eq_ignore_ascii_case(fine))) {
        return "#ZgotmplZ".to_owned();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$*+,;=%".contains(&byte);
    message.bytes().map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02x}") }).collect()
}

/// What may stand between any quotes of a script, and does not end it.
fn script(message: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " .,:;!?-_()".contains(c);
    let mut out = String::with_capacity(message.len());
    for c in message.chars() {
        if plain(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Escape {
        let mut context = Context::default();
        context.read(text);
        context.escape()
    }

    #[test]
    fn where_a_message_stands() {
        for (page, escape) in [
            ("", Escape::Text),
            ("<p class=\"a\">", Escape::Text),
            ("a < b ", Escape::Text),
            ("<p title=\"", Escape::Text),
            ("<p title='a \" ", Escape::Text),
            ("<p title=", Escape::Bare),
            ("<p title=a", Escape::Bare),
            ("<p title=a b='", Escape::Text),
            ("<a href=\"", Escape::Url),
            ("<a HREF=", Escape::Url),
            ("<p onclick=\"", Escape::Never),
            ("<p style='", Escape::Never),
            ("<p ", Escape::Never),
            ("<!-- ", Escape::Never),
            ("<!-- <p> -->", Escape::Text),
            ("<script>var a = ", Escape::Script),
            ("<script type=\"x\">var a = '", Escape::ScriptString),
            ("<script>var a = \"\\\"", Escape::ScriptString),
            ("<script>var a = '';</script>", Escape::Text),
            ("<SCRIPT></Script ><p>", Escape::Text),
            ("<style>p { ", Escape::Never),
            ("<style></style>", Escape::Text),
            ("<title>", Escape::Text),
        ] {
            assert_eq!(at(page), escape, "{page}");
        }
    }

    #[test]
    fn how_it_is_written_there() {
        let message = "</script><b a='x' b=\"y\"> & é";
        for (escape, written) in [
            (Escape::Text, "&lt;/script&gt;&lt;b a=&#39;x&#39; b=&#34;y&#34;&gt; &amp; é"),
            (
                Escape::ScriptString,
                "\\u003c\\u002fscript\\u003e\\u003cb a\\u003d\\u0027x\\u0027 b\\u003d\\u0022y\\u0022\\u003e \\u0026 é",
            ),
            (Escape::Never, ""),
        ] {
            assert_eq!(escape.apply(message), written);
        }
        assert_eq!(Escape::Bare.apply("a b>"), "a&#32;b&#62;");
        assert_eq!(Escape::Script.apply("a\nb"), "\"a\\u000ab\"");
        for (message, written) in [
            ("https://a.test/x?y='z'", "https://a.test/x?y=%27z%27"),
            ("/a b", "/a%20b"),
            ("javascript:alert(1)", "#ZgotmplZ"),
            ("a/b:c", "a/b:c"),
        ] {
            assert_eq!(Escape::Url.apply(message), written);
        }
    }
}
