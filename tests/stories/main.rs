mod engine;
mod store;
mod support;
