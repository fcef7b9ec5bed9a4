//! The methods templates call: a table per class, and one place that looks a method up in them. What is in no table
//! goes to Ruby where there is one.

mod any;
mod dotenv;
mod each;
mod encode;
mod env;
mod error;
mod file;
mod function;
mod json;
mod list;
mod map;
mod module;
mod number;
mod path;
mod proc;
mod process;
mod random;
mod range;
mod regexp;
mod series;
mod symbol;
mod text;
mod time;
mod uri;
mod yaml;

use std::rc::Rc;

use super::ast::Place;
use super::run::{Found, Run};
use super::stop::Stop;
use super::value::{Map, Proc, Value};

pub(super) use each::listed;
pub(super) use module::{constant, is_constant, is_of_the_app};
pub(super) use range::covers;

/// A call of a method.
pub(super) struct Call<'a> {
    pub(super) place: Place,
    pub(super) receiver: &'a Value,
    pub(super) name: &'a str,
    pub(super) values: &'a [Value],
    /// The last value is a mapping of `name: value` arguments.
    pub(super) keywords: bool,
    pub(super) block: Option<Rc<Proc>>,
}

/// A method of a class: its names, how many arguments it takes, and whether a block.
pub(super) struct Method {
    names: &'static str,
    least: usize,
    most: usize,
    takes_block: bool,
    run: fn(&mut Run<'_>, &Call<'_>) -> Found,
}

/// Any number of arguments.
const ANY: usize = usize::MAX;

/// A method without a block. Its names are separated by blanks.
const fn plain(names: &'static str, least: usize, most: usize, run: fn(&mut Run<'_>, &Call<'_>) -> Found) -> Method {
    Method { names, least, most, takes_block: false, run }
}

/// A method that may be given a block.
const fn block(names: &'static str, least: usize, most: usize, run: fn(&mut Run<'_>, &Call<'_>) -> Found) -> Method {
    Method { names, least, most, takes_block: true, run }
}

impl Method {
    fn is_called(&self, name: &str) -> bool {
        self.names.split(' ').any(|own| own == name)
    }

    fn takes(&self, call: &Call<'_>) -> bool {
        (self.least..=self.most).contains(&call.values.len()) && (self.takes_block || call.block.is_none())
    }
}

type Table = &'static [Method];

/// The tables a value's methods are in, its own class's first.
fn tables(value: &Value) -> Vec<Table> {
    let mut tables: Vec<Table> = match value {
        Value::Nil => vec![any::NIL],
        Value::Int(_) => vec![number::INT, number::BOTH],
        Value::Float(_) => vec![number::FLOAT, number::BOTH],
        Value::Text(_) => vec![text::LOOK, text::EDIT, text::SEARCH],
        Value::Symbol(_) => vec![symbol::METHODS],
        Value::List(_) => vec![list::METHODS, each::WALK, each::PICK, each::ORDER],
        Value::Map(_) => vec![map::METHODS, each::WALK, each::PICK, each::ORDER],
        Value::Range(_) => vec![range::METHODS, each::WALK, each::PICK, each::ORDER],
        Value::Series(_) => vec![series::METHODS, each::WALK, each::PICK, each::ORDER],
        Value::Regexp(_) => vec![regexp::METHODS],
        Value::Match(_) => vec![regexp::MATCH],
        Value::Proc(_) => vec![proc::METHODS],
        Value::Time(_) => vec![time::TIME, time::BOTH],
        Value::Date(_) => vec![time::DATE, time::BOTH],
        Value::Path(_) => vec![path::METHODS],
        Value::Uri(_) => vec![uri::METHODS],
        Value::Error(_) => vec![error::METHODS],
        Value::Stream(_) => vec![file::STREAM],
        Value::Template(_) => vec![module::TEMPLATE],
        Value::Status(_) => vec![process::STATUS],
        Value::Env => vec![env::METHODS],
        Value::Module(name) => module::tables(name),
        Value::Bool(_) => vec![any::BOOL],
        Value::Main => vec![function::METHODS],
    };
    tables.push(any::METHODS);
    tables
}

/// Calls a method of a value.
pub(super) fn call(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    run.step(call.place)?;
    let mut named = false;
    for method in tables(call.receiver).into_iter().flatten() {
        if method.is_called(call.name) {
            if method.takes(call) {
                return (method.run)(run, call);
            }
            named = true;
        }
    }
    if call.receiver.is_nil() && !named {
        let ruby = format!("undefined method '{}' for nil", call.name);
        let told = format!("cannot call `{}` so on nil", call.name);
        return Err(Stop::tell(call.place, "NoMethodError", ruby, told));
    }
    Err(call.unknown())
}

/// Calls a function, which is a method of nothing in particular.
pub(super) fn function(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    run.step(call.place)?;
    let mut named = false;
    for method in function::METHODS {
        if method.is_called(call.name) {
            if method.takes(call) {
                return (method.run)(run, call);
            }
            named = true;
        }
    }
    let what = match (named, call.values.is_empty()) {
        (true, _) => return Err(Stop::unknown(call.place, format!("cannot call `{}` so", call.name))),
        (false, false) => "method",
        (false, true) => "local variable or method",
    };
    Err(Stop::unknown(call.place, format!("undefined {what} `{}`", call.name)))
}

/// Whether there is a function of that name.
pub(super) fn is_function(name: &str) -> bool {
    function::METHODS.iter().any(|method| method.is_called(name))
}

/// Whether anything has a method of that name.
pub(super) fn is_method(name: &str) -> bool {
    const CLASSES: [Table; 33] = [
        any::NIL,
        any::BOOL,
        any::METHODS,
        number::INT,
        number::FLOAT,
        number::BOTH,
        text::LOOK,
        text::EDIT,
        text::SEARCH,
        symbol::METHODS,
        list::METHODS,
        map::METHODS,
        each::WALK,
        each::PICK,
        each::ORDER,
        range::METHODS,
        series::METHODS,
        regexp::METHODS,
        regexp::MATCH,
        proc::METHODS,
        time::TIME,
        time::DATE,
        time::BOTH,
        path::METHODS,
        uri::METHODS,
        error::METHODS,
        file::STREAM,
        process::STATUS,
        env::METHODS,
        function::METHODS,
        module::COMMON,
        module::OUTPUT,
        module::TEMPLATE,
    ];
    let mut all = CLASSES.into_iter().chain(module::all());
    all.any(|table| table.iter().any(|method| method.is_called(name)))
}

impl Call<'_> {
    /// The value is not of a class that has the method, or the arguments are none it is known with.
    pub(super) fn unknown(&self) -> Stop {
        let receiver = self.receiver.described();
        Stop::unknown(self.place, format!("cannot call `{}` so on {receiver}", self.name))
    }

    pub(super) fn raise(&self, class: &str, message: impl Into<String>) -> Stop {
        Stop::raise(self.place, class, message)
    }

    pub(super) fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Nil)
    }

    /// An argument that has to be a text.
    pub(super) fn text(&self, index: usize) -> Result<String, Stop> {
        match self.value(index) {
            Value::Text(text) => Ok(text.borrow().clone()),
            Value::Path(path) => Ok(path.to_string()),
            other => Err(self.no_conversion(other, "String")),
        }
    }

    /// An argument that has to be a text or a symbol.
    pub(super) fn name(&self, index: usize) -> Result<Rc<str>, Stop> {
        match self.value(index) {
            Value::Symbol(name) => Ok(Rc::clone(name)),
            _ => self.text(index).map(Rc::from),
        }
    }

    /// An argument that has to be a whole number.
    pub(super) fn int(&self, index: usize) -> Result<i64, Stop> {
        match self.value(index) {
            Value::Int(value) => Ok(*value),
            Value::Float(value) if value.abs() < 9e15 => Ok(number::whole(*value)),
            other => Err(self.no_conversion(other, "Integer")),
        }
    }

    /// An argument that counts something.
    pub(super) fn size(&self, index: usize) -> Result<usize, Stop> {
        usize::try_from(self.int(index)?).map_err(|_| self.raise("ArgumentError", "negative size"))
    }

    pub(super) fn no_conversion(&self, value: &Value, class: &str) -> Stop {
        let is = match value {
            // Where Ruby takes a text it most often takes one of these too.
            Value::Regexp(_) => return self.unknown(),
            Value::Nil => "nil".to_owned(),
            Value::Bool(value) => value.to_string(),
            other => other.class().to_string(),
        };
        self.raise("TypeError", format!("no implicit conversion of {is} into {class}"))
    }

    /// The text that is called.
    pub(super) fn subject(&self) -> Result<String, Stop> {
        match self.receiver {
            Value::Text(text) => Ok(text.borrow().clone()),
            Value::Symbol(text) | Value::Path(text) | Value::Uri(text) => Ok(text.to_string()),
            _ => Err(self.unknown()),
        }
    }

    /// The arguments without the keywords, and the keywords. Names that are none of `known` are not understood.
    pub(super) fn options(&self, known: &[&str]) -> Result<(&[Value], Options), Stop> {
        let (values, map) = match self.values.split_last() {
            Some((Value::Map(map), values)) if self.keywords => (values, Some(map.clone())),
            _ => (self.values, None),
        };
        for (name, _) in map.iter().flat_map(Map::pairs) {
            if !matches!(&name, Value::Symbol(name) if known.contains(&&**name)) {
                return Err(Stop::unknown(
                    self.place,
                    format!("the option {} of `{}` is not understood", name.inspect(), self.name),
                ));
            }
        }
        Ok((values, Options(map)))
    }

    /// Calls the block with a value.
    pub(super) fn yields(&self, run: &mut Run<'_>, values: &[Value]) -> Found {
        match &self.block {
            Some(block) => run.invoke(block, values, self.place),
            None => Err(self.unknown()),
        }
    }
}

/// `name: value` arguments.
pub(super) struct Options(Option<Map>);

impl Options {
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        self.0.as_ref()?.get(&super::value::Key::Symbol(name.into()))
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.truthy())
    }
}
