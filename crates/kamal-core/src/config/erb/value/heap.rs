//! What values are kept in. Everything that can hold other values is made here and stays until the template is done:
//! it may hold itself, and it may be nested deeper than the stack is when it is taken down piece by piece.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::{Key, Proc, Value};

/// Everything a template has made that can hold values.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    lists: Vec<List>,
    maps: Vec<Map>,
    procs: Vec<Rc<Proc>>,
    scopes: Vec<Rc<Scope>>,
}

/// A list, shared.
#[derive(Clone, Debug)]
pub(crate) struct List(Rc<RefCell<Vec<Value>>>);

/// A mapping in the order of first mention, shared.
#[derive(Clone, Debug)]
pub(crate) struct Map(Rc<Entries>);

#[derive(Debug)]
struct Entries {
    items: RefCell<IndexMap<Key, (Value, Value)>>,
    /// What a key that is not there has for a value: a value, or what a block says.
    fallback: RefCell<(Value, Option<Rc<Proc>>)>,
}

/// Variables, and those around them that they can see.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    variables: RefCell<HashMap<Rc<str>, Value>>,
    around: Option<Rc<Scope>>,
    /// The method or lambda that `return` ends.
    pub(crate) home: Cell<u64>,
    /// The block the method was given.
    pub(crate) block: RefCell<Option<Rc<Proc>>>,
}

impl Heap {
    pub(crate) fn list(&mut self, items: Vec<Value>) -> List {
        let list = List(Rc::new(RefCell::new(items)));
        self.lists.push(list.clone());
        list
    }

    pub(crate) fn map(&mut self, items: IndexMap<Key, (Value, Value)>) -> Map {
        let fallback = RefCell::new((Value::Nil, None));
        let map = Map(Rc::new(Entries { items: RefCell::new(items), fallback }));
        self.maps.push(map.clone());
        map
    }

    /// Keeps a block that may outlive its call, with the variables it sees.
    pub(crate) fn keep(&mut self, block: &Rc<Proc>, scope: &Rc<Scope>) {
        self.procs.push(Rc::clone(block));
        self.scopes.push(Rc::clone(scope));
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // Whatever is emptied here holds only what the lists below still hold: nothing falls deep.
        for list in &self.lists {
            list.0.borrow_mut().clear();
        }
        for map in &self.maps {
            map.0.items.borrow_mut().clear();
            *map.0.fallback.borrow_mut() = (Value::Nil, None);
        }
        for scope in &self.scopes {
            scope.variables.borrow_mut().clear();
            scope.block.borrow_mut().take();
        }
    }
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The items as they are now.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.0.borrow().clone()
    }

    pub(crate) fn change(&self) -> RefMut<'_, Vec<Value>> {
        self.0.borrow_mut()
    }
}

impl Map {
    pub(crate) fn len(&self) -> usize {
        self.0.items.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.items.borrow().is_empty()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Value> {
        self.0.items.borrow().get(key).map(|(_, value)| value.clone())
    }

    pub(crate) fn set(&self, key: Key, name: Value, value: Value) {
        let mut items = self.0.items.borrow_mut();
        let name = items.get(&key).map_or(name, |(name, _)| name.clone());
        items.insert(key, (name, value));
    }

    pub(crate) fn take(&self, key: &Key) -> Option<Value> {
        self.0.items.borrow_mut().shift_remove(key).map(|(_, value)| value)
    }

    /// Keys and values as they are now.
    pub(crate) fn pairs(&self) -> Vec<(Value, Value)> {
        self.0.items.borrow().values().cloned().collect()
    }

    /// Keys in both forms, and values, as they are now.
    pub(crate) fn keyed(&self) -> Vec<(Key, Value, Value)> {
        self.entries().iter().map(|(key, (name, value))| (key.clone(), name.clone(), value.clone())).collect()
    }

    pub(crate) fn entries(&self) -> Ref<'_, IndexMap<Key, (Value, Value)>> {
        self.0.items.borrow()
    }

    pub(crate) fn replace(&self, items: IndexMap<Key, (Value, Value)>) {
        *self.0.items.borrow_mut() = items;
    }

    pub(crate) fn fallback(&self) -> (Value, Option<Rc<Proc>>) {
        self.0.fallback.borrow().clone()
    }

    pub(crate) fn set_fallback(&self, value: Value, block: Option<Rc<Proc>>) {
        *self.0.fallback.borrow_mut() = (value, block);
    }
}

impl Scope {
    /// Variables of a block, which sees those around it.
    pub(crate) fn inside(around: &Rc<Self>) -> Self {
        Self {
            variables: RefCell::default(),
            around: Some(Rc::clone(around)),
            home: around.home.clone(),
            block: around.block.clone(),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.variables.borrow().get(name) {
                return Some(value.clone());
            }
            scope = scope.around.as_deref()?;
        }
    }

    /// Assigns to the variable of that name that is seen from here, else to a new one.
    pub(crate) fn set(&self, name: &Rc<str>, value: Value) {
        let mut scope = self;
        loop {
            if let Some(known) = scope.variables.borrow_mut().get_mut(name) {
                *known = value;
                return;
            }
            match scope.around.as_deref() {
                Some(around) => scope = around,
                None => break,
            }
        }
        self.declare(name, value);
    }

    /// A variable of this scope's own.
    pub(crate) fn declare(&self, name: &Rc<str>, value: Value) {
        self.variables.borrow_mut().insert(Rc::clone(name), value);
    }
}
