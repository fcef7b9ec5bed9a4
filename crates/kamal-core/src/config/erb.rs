//! ERB in deploy.yml and in accessories' files (spec 2.1, step 3). There is no Ruby here: the expressions people
//! really use are evaluated by a small evaluator of our own; everything else goes to a `ruby` when there is one, and
//! is otherwise an error with its place. Nothing is ever silently taken for something else.

mod render;

pub(crate) use render::render;

/// What a template may ask of the world. The command line answers for real, tests answer from a table.
pub trait Outside {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// A file's contents, the path being relative to the project. The error says why not.
    fn read_file(&self, path: &str) -> Result<String, String>;

    /// A shell command's standard output; its exit status does not matter. The error says why it could not be run.
    fn run(&self, command: &str) -> Result<String, String>;

    /// Renders a whole template with Ruby's own ERB (trim mode `-`): its output, or its complaint. `None` when there
    /// is no ruby on PATH.
    fn ruby_erb(&self, template: &str) -> Option<Result<String, String>>;
}
