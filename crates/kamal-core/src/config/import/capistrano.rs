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
    let secrets = app::common(&mut reader, &base, by_stage, &mut root);
    for (name, stage) in several {
        let all = base.with(stage);
        destinations.push((name.clone(), app::stage(&mut reader, &all, stage, (&roles, &secrets), by_stage)));
    }
    let head = format!("Made of {} by `kamal import capistrano`.", input.source.path);
    reader.finish(&head, &root, &destinations)
}

const NOT_WRITTEN_OUT: &str = "its hosts are not written out here: add them where they belong";

/// What a file says.
#[derive(Clone, Debug, Default)]
struct Recipe {
    settings: Settings,
    servers: Vec<Server>,
}

/// What a recipe may call without that meaning anything here.
const NEEDLESS: [&str; 8] =
    ["lock", "require", "require_relative", "install_plugin", "desc", "puts", "lock_version", "puma_role"];

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
            "server" | "role" if call.conditional => {
                reader.note(
                    span,
                    call.name.clone(),
                    "it stands under a condition, and was passed over: add its hosts where they belong",
                );
            }
            "server" => {
                let host = call.arguments.first().and_then(|host| self.settings.spelled(reader, host, 0));
                if host.is_none() {
                    reader.note(span, "server", NOT_WRITTEN_OUT);
                }
                self.servers.extend(host.map(|host| Server::of_server(&host, call.arguments.get(1), span)));
            }
            "role" => match (name(0), call.arguments.get(1)) {
                (Some(role), Some(hosts)) => {
                    if hosts::words(hosts).is_empty() {
                        reader.note(span, format!("role {role}"), NOT_WRITTEN_OUT);
                    }
                    hosts::add_role(&mut self.servers, &role, hosts, span);
                }
                _ => reader.note(span, "role", NOT_WRITTEN_OUT),
            },
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
            "import" | "load" => reader.note(span, call.name.clone(), "the files it names were not read"),
            name if NEEDLESS.contains(&name) => {}
            name if call.block.iter().flatten().any(|inner| ["server", "role"].contains(&inner.name.as_str())) => {
                reader.note(
                    span,
                    name.to_owned(),
                    "the servers of its block were passed over: add them where they belong",
                );
            }
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
