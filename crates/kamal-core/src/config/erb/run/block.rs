//! Calls of blocks, lambdas and methods of the template's own.

use std::rc::Rc;

use super::super::ast::{Argument, Block, Parameter, Place, Target};
use super::super::methods;
use super::super::value::{Callable, Scope};
use super::{CALL_DEPTH, Found, Proc, Run, Stop, Value};

impl Run<'_> {
    /// A block that is kept until the template is done.
    pub(in super::super) fn kept(&mut self, block: Proc) -> Rc<Proc> {
        let block = Rc::new(block);
        let scope = match &block.kind {
            Callable::Code(_, scope) => Rc::clone(scope),
            _ => Rc::default(),
        };
        self.heap.keep(&block, &scope);
        block
    }

    /// A block made of something else than code.
    pub(in super::super) fn callable(&mut self, kind: Callable) -> Rc<Proc> {
        let tag = self.tag();
        self.kept(Proc { kind, lambda: false, tag })
    }

    /// Calls a block or lambda.
    pub(in super::super) fn invoke(&mut self, block: &Rc<Proc>, values: &[Value], place: Place) -> Found {
        self.invoke_with(block, values, false, place)
    }

    pub(in super::super) fn invoke_with(
        &mut self,
        block: &Rc<Proc>,
        values: &[Value],
        keywords: bool,
        place: Place,
    ) -> Found {
        self.step(place)?;
        match &block.kind {
            Callable::Code(code, scope) => {
                let inner = Rc::new(Scope::inside(scope));
                if block.lambda {
                    inner.home.set(block.tag);
                }
                let spreads = !block.lambda && takes_several(code);
                let spread = match values {
                    [Value::List(list)] if spreads => list.items(),
                    _ => values.to_vec(),
                };
                match self.within(inner, code, spread, keywords, block.lambda, place) {
                    Err(Stop::Next(value)) => Ok(value),
                    Err(Stop::Return(tag, value)) if block.lambda && tag == block.tag => Ok(value),
                    Err(Stop::Break(0, value)) if block.lambda => Ok(value),
                    Err(Stop::Break(0, value)) => Err(Stop::Break(block.tag, value)),
                    other => other,
                }
            }
            Callable::Method(name) => {
                let name = Rc::clone(name);
                let Some((receiver, rest)) = values.split_first() else {
                    return Err(Stop::raise(place, "ArgumentError", "no receiver given"));
                };
                self.send(receiver, &name, rest, place)
            }
            Callable::Bound(receiver, name) => self.send(&receiver.clone(), &name.clone(), values, place),
            Callable::Counted(inner, count) => {
                let number = count.get();
                count.set(number + 1);
                let item = match values {
                    [only] => only.clone(),
                    several => self.list(several.to_vec()),
                };
                self.invoke(&inner.clone(), &[item, Value::Int(number)], place)
            }
            Callable::With(inner, object) => {
                let item = match values {
                    [only] => only.clone(),
                    several => self.list(several.to_vec()),
                };
                self.invoke(&inner.clone(), &[item, object.clone()], place)
            }
            Callable::Chain(first, second) => {
                let (first, second) = (first.clone(), second.clone());
                let between = self.invoke(&first, values, place)?;
                self.invoke(&second, &[between], place)
            }
        }
    }

    /// Runs a body with its parameters in a scope of its own.
    fn within(
        &mut self,
        scope: Rc<Scope>,
        code: &Rc<Block>,
        values: Vec<Value>,
        keywords: bool,
        strict: bool,
        place: Place,
    ) -> Found {
        let outer = std::mem::replace(&mut self.scope, scope);
        let done = self.deeper(CALL_DEPTH, place, |run| {
            run.bind(&code.parameters, values, keywords, strict, place)?;
            run.body(&code.body)
        });
        self.scope = outer;
        done
    }

    /// Calls a method of the template's own.
    pub(super) fn own(
        &mut self,
        code: &Rc<Block>,
        values: Vec<Value>,
        keywords: bool,
        block: Option<Rc<Proc>>,
        place: Place,
    ) -> Found {
        let tag = self.tag();
        let scope = Scope::default();
        scope.home.set(tag);
        *scope.block.borrow_mut() = block;
        match self.within(Rc::new(scope), code, values, keywords, true, place) {
            Err(Stop::Return(home, value)) if home == tag => Ok(value),
            other => other,
        }
    }

    fn bind(
        &mut self,
        parameters: &[Parameter],
        mut values: Vec<Value>,
        keywords: bool,
        strict: bool,
        place: Place,
    ) -> Result<(), Stop> {
        let named = parameters.iter().any(|one| matches!(one, Parameter::Keyword(..) | Parameter::Keywords(_)));
        let named = match values.last() {
            Some(Value::Map(map)) if named && keywords => {
                let map = map.clone();
                values.pop();
                Some(map)
            }
            _ => None,
        };
        let count = |wanted: fn(&Parameter) -> bool| parameters.iter().filter(|one| wanted(one)).count();
        let needed = count(|one| matches!(one, Parameter::Needed(_)));
        let optional = count(|one| matches!(one, Parameter::Optional(..)));
        let rest = parameters.iter().any(|one| matches!(one, Parameter::Rest(_)));
        if strict && (values.len() < needed || !rest && values.len() > needed + optional) {
            let most = if rest {
                "+".to_owned()
            } else if optional > 0 {
                format!("..{}", needed + optional)
            } else {
                String::new()
            };
            let message = format!("wrong number of arguments (given {}, expected {needed}{most})", values.len());
            return Err(Stop::raise(place, "ArgumentError", message));
        }
        let mut spare = values.len().saturating_sub(needed);
        let mut values = values.into_iter();
        for parameter in parameters {
            match parameter {
                Parameter::Needed(target) => {
                    let value = values.next().unwrap_or(Value::Nil);
                    self.declare_target(target, value, place)?;
                }
                Parameter::Optional(name, default) => {
                    let value = if spare > 0 {
                        spare -= 1;
                        values.next().unwrap_or(Value::Nil)
                    } else {
                        self.value(default)?
                    };
                    self.scope.declare(name, value);
                }
                Parameter::Rest(name) => {
                    let taken: Vec<Value> = values.by_ref().take(spare).collect();
                    spare = 0;
                    if let Some(name) = name {
                        let list = self.list(taken);
                        self.scope.declare(name, list);
                    }
                }
                Parameter::Keyword(..) | Parameter::Keywords(_) => {}
                Parameter::Block(name) => {
                    let block = self.scope.block.borrow().clone();
                    self.scope.declare(name, block.map_or(Value::Nil, Value::Proc));
                }
            }
        }
        self.bind_keywords(parameters, named, strict, place)
    }

    fn bind_keywords(
        &mut self,
        parameters: &[Parameter],
        given: Option<super::Map>,
        strict: bool,
        place: Place,
    ) -> Result<(), Stop> {
        let mut left = given.map(|map| map.pairs()).unwrap_or_default();
        for parameter in parameters {
            let Parameter::Keyword(name, default) = parameter else { continue };
            let found = left.iter().position(|(key, _)| matches!(key, Value::Symbol(key) if key == name));
            let value = match (found, default) {
                (Some(found), _) => left.remove(found).1,
                (None, Some(default)) => self.value(default)?,
                (None, None) => {
                    return Err(Stop::raise(place, "ArgumentError", format!("missing keyword: :{name}")));
                }
            };
            self.scope.declare(name, value);
        }
        match parameters.iter().find_map(|one| if let Parameter::Keywords(name) = one { Some(name) } else { None }) {
            Some(Some(name)) => {
                let rest = self.map(left, place)?;
                self.scope.declare(name, Value::Map(rest));
            }
            Some(None) => {}
            None if strict && !left.is_empty() => {
                let unknown = left.first().map(|(key, _)| key.inspect()).unwrap_or_default();
                return Err(Stop::raise(place, "ArgumentError", format!("unknown keyword: {unknown}")));
            }
            None => {}
        }
        Ok(())
    }

    fn declare_target(&mut self, target: &Target, value: Value, place: Place) -> Result<(), Stop> {
        match target {
            Target::Variable(name) => self.scope.declare(name, value),
            Target::Nested(targets) => {
                for name in targets.iter().flat_map(names) {
                    self.scope.declare(name, Value::Nil);
                }
                self.assign_each(targets, &value, place)?;
            }
            other => self.assign(other, value, place)?,
        }
        Ok(())
    }

    pub(super) fn yielded(&mut self, arguments: &[Argument], place: Place) -> Found {
        let (values, keywords) = self.arguments(arguments)?;
        let Some(block) = self.scope.block.borrow().clone() else {
            return Err(Stop::raise(place, "LocalJumpError", "no block given (yield)"));
        };
        self.invoke_with(&block, &values, keywords, place)
    }

    /// Calls a method on a value, as an operator or a block does.
    pub(in super::super) fn send(&mut self, receiver: &Value, name: &str, values: &[Value], place: Place) -> Found {
        let call = methods::Call { place, receiver, name, values, keywords: false, block: None };
        methods::call(self, &call)
    }
}

fn names(target: &Target) -> Vec<&Rc<str>> {
    match target {
        Target::Variable(name) => vec![name],
        Target::Splat(Some(inner)) => names(inner),
        Target::Nested(targets) => targets.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

/// Whether a block takes a single list apart.
fn takes_several(code: &Block) -> bool {
    let positional = code
        .parameters
        .iter()
        .filter(|one| matches!(one, Parameter::Needed(_) | Parameter::Optional(..) | Parameter::Rest(_)));
    let needed = code.parameters.iter().any(|one| matches!(one, Parameter::Needed(_)));
    positional.count() > 1 && needed
}
