//! deploy.yml: read, checked and turned into a [`Config`] (spec chapter 2).

pub mod model;

pub use model::Config;
