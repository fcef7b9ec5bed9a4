//! Spelling scalars as libyaml's emitter does, which Ruby prints with: what a scalar must look like for its characters
//! and its place, and where long lines are folded (`emitter.c`, version 0.2.5, default settings).

/// The column behind which a line is folded at the next blank.
const WIDTH: usize = 80;

/// A scalar's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Text in the making.
#[derive(Debug)]
pub(super) struct Emitter {
    out: String,
    column: usize,
    /// The last thing written asks for no blank behind it.
    whitespace: bool,
    /// Nothing but indicators stands on the line so far.
    indention: bool,
}

/// What a scalar's characters allow.
struct Allowed {
    plain: bool,
    single: bool,
    block: bool,
    multiline: bool,
}

impl Emitter {
    pub(super) fn new() -> Self {
        Self { out: "---".to_owned(), column: 3, whitespace: false, indention: false }
    }

    pub(super) fn finish(mut self) -> String {
        if self.column > 0 {
            self.out.push('\n');
        }
        self.out
    }

    /// Begins a line at `indent`, unless only indicators stand on this one.
    pub(super) fn line(&mut self, indent: usize) {
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// `-`, `?`, or the `:` of a key that needed a `?`.
    pub(super) fn indicator(&mut self, text: &str) {
        self.mark(text, true);
    }

    /// The `:` behind a key.
    pub(super) fn colon(&mut self) {
        self.mark(":", false);
        self.indention = false;
    }

    /// `[]` or `{}`.
    pub(super) fn empty(&mut self, text: &str) {
        self.mark(text, true);
        self.indention = false;
    }

    pub(super) fn tag(&mut self, tag: Option<&str>) {
        if let Some(tag) = tag {
            self.mark(tag, true);
            self.indention = false;
        }
    }

    pub(super) fn has_breaks(text: &str) -> bool {
        text.contains(is_break)
    }

    /// A scalar; `indent` is where its further lines begin.
    pub(super) fn scalar(&mut self, text: &str, wish: Style, indent: usize, is_key: bool) {
        let allowed = Allowed::of(text);
        let mut style = if is_key && allowed.multiline { Style::Double } else { wish };
        if style == Style::Plain && (!allowed.plain || text.is_empty() && is_key) {
            style = Style::Single;
        }
        if style == Style::Single && !allowed.single || style == Style::Literal && (!allowed.block || is_key) {
            style = Style::Double;
        }
        match style {
            Style::Plain => self.plain(text, indent, !is_key),
            Style::Single => self.single(text, indent, !is_key),
            Style::Double => self.double(text, indent, !is_key),
            // How it ends says whether a new line has begun.
            Style::Literal => return self.literal(text, indent),
        }
        self.indention = false;
        self.whitespace = false;
    }

    fn plain(&mut self, text: &str, indent: usize, fold: bool) {
        if !self.whitespace && !text.is_empty() {
            self.put(' ');
        }
        let mut after_space = false;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            if c == ' ' && fold && !after_space && self.column > WIDTH && characters.peek() != Some(&' ') {
                self.line(indent);
            } else {
                self.put(c);
            }
            after_space = c == ' ';
        }
    }

    /// Text with breaks comes this way only with one at its end, between quotes.
    fn single(&mut self, text: &str, indent: usize, fold: bool) {
        self.mark("'", true);
        let mut after_space = false;
        let mut in_breaks = false;
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, c)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            if c == ' ' {
                let folds =
                    fold && !after_space && self.column > WIDTH && at > 0 && next.is_some_and(|next| next != ' ');
                if folds {
                    self.line(indent);
                } else {
                    self.put(c);
                }
                after_space = true;
                continue;
            }
            if is_break(c) {
                if !in_breaks && c == '\n' {
                    self.put('\n');
                }
                self.put(c);
                self.indention = true;
                in_breaks = true;
                continue;
            }
            if in_breaks {
                self.line(indent);
            }
            if c == '\'' {
                self.put('\'');
            }
            self.put(c);
            self.indention = false;
            (after_space, in_breaks) = (false, false);
        }
        if in_breaks {
            self.line(indent);
        }
        self.mark("'", false);
    }

    fn double(&mut self, text: &str, indent: usize, fold: bool) {
        self.mark("\"", true);
        let mut after_space = false;
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, c)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                for c in escaped(c).chars() {
                    self.put(c);
                }
                after_space = false;
            } else if c == ' ' {
                if fold && !after_space && self.column > WIDTH && at > 0 && next.is_some() {
                    self.line(indent);
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.mark("\"", false);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.mark("|", true);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put('2');
        }
        let mut back = text.chars().rev();
        match (back.next(), back.next()) {
            (Some(last), _) if !is_break(last) => self.put('-'),
            (Some(_), before) if before.is_none_or(is_break) => self.put('+'),
            _ => {}
        }
        self.put('\n');
        let mut in_breaks = true;
        self.indention = true;
        self.whitespace = true;
        for c in text.chars() {
            if is_break(c) {
                self.put(c);
                self.indention = true;
                in_breaks = true;
            } else {
                if in_breaks {
                    self.line(indent);
                }
                self.put(c);
                self.indention = false;
                in_breaks = false;
            }
        }
    }

    fn mark(&mut self, text: &str, apart: bool) {
        if apart && !self.whitespace {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.whitespace = false;
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column = if is_break(c) { 0 } else { self.column + 1 };
    }
}

impl Allowed {
    /// libyaml's `analyze_scalar`.
    fn of(text: &str) -> Self {
        let document = text.starts_with("---") || text.starts_with("...");
        let (mut indicators, mut special, mut breaks) = (document, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut after_space, mut after_break, mut after_blank) = (false, false, true);
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, c)) = characters.next() {
            let before_blank = characters.peek().is_none_or(|(_, next)| is_blank(*next));
            indicators |= match c {
                '#' if at > 0 => after_blank,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    at == 0
                }
                '?' | '-' => at == 0 && before_blank,
                ':' => before_blank,
                _ => false,
            };
            special |= !is_printable(c);
            if c == ' ' {
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(c) {
                breaks = true;
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            after_blank = is_blank(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let edges = text.starts_with(edge) || text.ends_with(edge);
        let unfit = space_break || special;
        Self {
            plain: !(edges || break_space || unfit || breaks || indicators),
            single: !(break_space || unfit),
            block: !(text.ends_with(' ') || unfit || text.is_empty()),
            multiline: breaks,
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\0') || is_break(c)
}

/// What needs no escape. Nothing beyond the first plane, and no tab, is.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
