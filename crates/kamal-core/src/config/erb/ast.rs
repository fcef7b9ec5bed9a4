//! What a template says, once understood.

use std::rc::Rc;

/// Where something stands in the template, in characters.
pub(super) type Place = (usize, usize);

pub(super) type Body = Vec<Expression>;

#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A piece of the template to be copied.
    Copy(Rc<str>),
    /// `<%= … %>`; its place is the tag's.
    Output(Box<Expression>),
    Nil,
    /// `self` outside of any object.
    Main,
    Bool(bool),
    Int(i64),
    Float(f64),
    Symbol(Vec<Part>),
    Text(Vec<Part>),
    Command(Vec<Part>),
    Regexp(Vec<Part>, String),
    List(Vec<Argument>),
    Map(Vec<Pair>),
    Variable(Rc<str>),
    /// `@name`, `$name`, by its whole name.
    Global(Rc<str>),
    /// `Name` or `A::B`.
    Constant(Rc<str>),
    Assign(Box<Target>, Box<Expression>),
    /// `a ||= b`, `a += b`, by the operator without its `=`.
    Update(Box<Target>, &'static str, Box<Expression>),
    Spread(Vec<Target>, Box<Expression>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Defined(Box<Expression>),
    Range(Option<Box<Expression>>, Option<Box<Expression>>, bool),
    If {
        condition: Box<Expression>,
        then: Body,
        otherwise: Body,
    },
    /// `while`, or `until` with a condition turned round; `first` runs the body before the condition is looked at.
    While {
        condition: Box<Expression>,
        body: Body,
        first: bool,
    },
    For {
        targets: Vec<Target>,
        list: Box<Expression>,
        body: Body,
    },
    Case {
        subject: Option<Box<Expression>>,
        branches: Vec<(Vec<Argument>, Body)>,
        otherwise: Body,
    },
    Match {
        subject: Box<Expression>,
        branches: Vec<Branch>,
        otherwise: Option<Body>,
    },
    Begin(Box<Begin>),
    /// Statements in parentheses or the like.
    Body(Body),
    Call(Box<Call>),
    Lambda(Rc<Block>),
    Define(Rc<str>, Rc<Block>),
    Yield(Vec<Argument>),
    Return(Option<Box<Expression>>),
    Break(Option<Box<Expression>>),
    Next(Option<Box<Expression>>),
    Retry,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) receiver: Option<Expression>,
    /// `&.`
    pub(super) safe: bool,
    pub(super) name: Rc<str>,
    pub(super) arguments: Vec<Argument>,
    pub(super) block: Option<Passed>,
}

/// A block at a call.
#[derive(Clone, Debug)]
pub(super) enum Passed {
    Written(Rc<Block>),
    /// `&:name`, `&block`.
    Value(Expression),
}

#[derive(Clone, Debug)]
pub(super) enum Argument {
    Plain(Expression),
    /// `*list`
    Splat(Expression),
    /// `key: value` and `**map`, gathered.
    Pairs(Vec<Pair>),
}

#[derive(Clone, Debug)]
pub(super) enum Pair {
    Entry(Expression, Expression),
    /// `**map`
    Splat(Expression),
}

/// What can be assigned to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Variable(Rc<str>),
    Global(Rc<str>),
    Constant(Rc<str>),
    Index(Expression, Vec<Argument>),
    /// `receiver.name = …`
    Attribute(Expression, Rc<str>),
    Splat(Option<Box<Target>>),
    Nested(Vec<Target>),
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Rc<str>),
    Code(Body),
}

/// `{ |x| … }`, `do |x| … end`, the body of a lambda or of a method.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Parameter {
    /// A name, or a list of them in parentheses.
    Needed(Target),
    Optional(Rc<str>, Expression),
    Rest(Option<Rc<str>>),
    Keyword(Rc<str>, Option<Expression>),
    Keywords(Option<Rc<str>>),
    Block(Rc<str>),
}

/// `begin … rescue … else … ensure … end`.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub(super) body: Body,
    pub(super) rescues: Vec<Rescue>,
    pub(super) otherwise: Body,
    pub(super) ensure: Body,
}

#[derive(Clone, Debug)]
pub(super) struct Rescue {
    /// Empty for any `StandardError`.
    pub(super) classes: Vec<Argument>,
    pub(super) target: Option<Target>,
    pub(super) body: Body,
}

/// `in pattern if guard`.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pattern: Pattern,
    pub(super) guard: Option<Expression>,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Anything `===` understands.
    Value(Expression),
    /// A name that takes whatever is there; `_` too.
    Name(Rc<str>),
    /// `nil` in the middle of a mapping means the key alone: `{name:}`.
    Map(Vec<(Rc<str>, Option<Pattern>)>),
    /// The items before `*rest`, the rest, the items after it.
    List(Vec<Pattern>, Option<Option<Rc<str>>>, Vec<Pattern>),
    Either(Vec<Pattern>),
    /// `pattern => name`
    Bound(Box<Pattern>, Rc<str>),
}
