//! From Capistrano's `config/deploy.rb`, and the files of its stages, to a draft. They are read, not run: what is set with a
//! value, which hosts there are, what lies in `shared`.

mod app;
mod hosts;
mod settings;
mod shared;

use super::super::erb::{Datum, RubyCall, calls};
use super::super::source::Span;
use super::reader::Reader;
use super::tree::{Map, Tree};
use super::{Draft, Input, service_name};
use hosts::Server;
use settings::Settings;

const HOSTS: &str = "Put the addresses of your servers here.";
const STAGES: &str = "With `-d STAGE`, those of deploy.STAGE.yml take the place of this one, which is nobody's.";

/// Makes a draft.
pub(super) fn import(input: &Input<'_>) -> Draft {
    let mut reader = Reader::new(input);
    let mut base = Recipe::read(&mut reader, &input.source.text, 0);
    let stages: Vec<(String, Recipe)> = input
        .stages
        .iter()
        .enumerate()
        .map(|(index, (name, source))| {
            let mut recipe = Recipe::read(&mut reader, &source.text, index + 1);
            let stage = Datum::Symbol(name.clone());
            recipe.settings.take("set", "stage", &[stage], Span { file: index + 1, ..Span::default() });
            (name.clone(), recipe)
        })
        .collect();
    // One stage is no choice.
    let only = if let [(_, stage)] = &stages[..] { Some(stage) } else { None };
    if let Some(stage) = only {
        base.add(stage);
    }
    let mut root = Map::default();
    let name = base.settings.text(&mut reader, "application").unwrap_or_else(|| input.project.to_owned());
    root.put("service", service_name(&reader.marks.settled(&name)));
    let several = if only.is_some() { &[] } else { &stages[..] };
    let mut destinations = Vec::new();
    let roles: Vec<String> = hosts::roles(&base.servers, false).into_iter().map(|(name, _)| name).collect();
    app::servers(&mut reader, &base, !several.is_empty(), &mut root);
    // Where `shared` is may differ from stage to stage.
    let by_stage = !several.is_empty()
        && base.settings.get("deploy_to").is_some()
        && base.settings.text(&mut reader, "deploy_to").is_none();
    app::common(&mut reader, &base, by_stage, &mut root);
    for (name, stage) in several {
        let all = base.with(stage);
        destinations.push((name.clone(), app::stage(&mut reader, &all, stage, &roles, by_stage)));
    }
    let head = format!("Made of {} by `kamal import capistrano`.", input.source.path);
    reader.finish(&head, &root, &destinations)
}

/// What a file says.
#[derive(Clone, Debug, Default)]
struct Recipe {
    settings: Settings,
    servers: Vec<Server>,
}

/// What a recipe may call without that meaning anything here.
const NEEDLESS: [&str; 9] =
    ["lock", "require", "require_relative", "install_plugin", "desc", "puts", "lock_version", "puma_role", "load"];

impl Recipe {
    fn read(reader: &mut Reader<'_>, text: &str, file: usize) -> Self {
        let (calls, unread) = calls(text);
        for (start, end) in unread {
            reader.note(Span { file, start, end }, "this line", "it is not understood, and was passed over");
        }
        let mut recipe = Self::default();
        for call in &calls {
            recipe.take(reader, call, file);
        }
        recipe
    }

    fn take(&mut self, reader: &mut Reader<'_>, call: &RubyCall, file: usize) {
        let span = Span { file, start: call.place.0, end: call.place.1 };
        let name = |at: usize| match call.arguments.get(at) {
            Some(Datum::Symbol(name)) => Some(name.clone()),
            Some(Datum::Text(parts)) => match &parts[..] {
                [Datum::Symbol(name)] => Some(name.clone()),
                _ => None,
            },
            _ => None,
        };
        match call.name.as_str() {
            "set" | "set_if_empty" | "ask" | "append" | "remove" => {
                let Some(key) = name(0) else { return };
                if call.conditional {
                    reader.note(span, key.clone(), "it is set under a condition, which was not looked at");
                }
                self.settings.take(&call.name, &key, &call.arguments[1..], span);
            }
            "server" => {
                let host = call.arguments.first().and_then(|host| self.settings.spelled(reader, host, 0));
                self.servers.extend(host.map(|host| Server::of_server(&host, call.arguments.get(1), span)));
            }
            "role" => {
                if let (Some(role), Some(hosts)) = (name(0), call.arguments.get(1)) {
                    hosts::add_role(&mut self.servers, &role, hosts, span);
                }
            }
            "before" | "after" => {
                let what = [name(0), name(1)].into_iter().flatten().collect::<Vec<_>>().join(", ");
                let hook =
                    if what.contains("finish") || what.contains("published") { "post-deploy" } else { "pre-deploy" };
                reader.note(
                    span,
                    format!("{} {what}", call.name),
                    format!("programs in .kamal/hooks run around a deploy: {hook} is near this"),
                );
            }
            "task" => {
                reader.note(
                    span,
                    format!("task {}", name(0).unwrap_or_default()),
                    "an alias of deploy.yml can run a line of kamal's, and .kamal/hooks programs of yours",
                );
            }
            "namespace" => {
                for inner in call.block.iter().flatten() {
                    self.take(reader, inner, file);
                }
            }
            "import" => reader.note(span, "import", "the files it names were not read"),
            name if NEEDLESS.contains(&name) => {}
            name => reader.note(span, name.to_owned(), "it is not understood, and was passed over"),
        }
    }

    fn add(&mut self, stage: &Self) {
        self.settings.add(&stage.settings);
        hosts::merge(&mut self.servers, &stage.servers);
    }

    fn with(&self, stage: &Self) -> Self {
        let mut all = self.clone();
        all.add(stage);
        all
    }
}

/// A list, or the items of one.
fn texts(items: Vec<String>) -> Tree {
    Tree::List(items.into_iter().map(Tree::from).collect())
}
