//! What a template says, once understood.

/// Where something stands in the template, in characters.
pub(super) type Place = (usize, usize);

#[derive(Clone, Debug)]
pub(super) enum Statement {
    /// Copy a piece of the template.
    Copy(usize),
    /// Print a value; the number is the piece's.
    Output(usize, Expression),
    /// Evaluate for its effect.
    Do(Expression),
}

#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Symbol(String),
    Text(Vec<Part>),
    Command(Vec<Part>),
    List(Vec<Expression>),
    Variable(String),
    Assign(String, Box<Expression>),
    Env(Box<Expression>),
    EnvFetch(Box<Expression>, Option<Box<Expression>>),
    EnvHas(Box<Expression>),
    ReadFile(Box<Expression>),
    FileExists(Box<Expression>),
    DockerArch,
    /// `require` of a library: nothing happens; what it defines is not known here anyway.
    Require,
    Raise(Box<Expression>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    If {
        condition: Box<Expression>,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    /// `(first..last)`, `(first...end)`, before a call.
    Range {
        first: Box<Expression>,
        last: Box<Expression>,
        exclusive: bool,
    },
    /// `receiver[…]`
    Index(Box<Expression>, Box<Expression>),
    Call {
        receiver: Box<Expression>,
        safe: bool,
        name: String,
        arguments: Vec<Expression>,
        block: Option<Block>,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(String),
    Code(Vec<Statement>),
}

/// `{ |x| … }` or `do |x| … end`.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) parameters: Vec<String>,
    pub(super) body: Vec<Statement>,
}
