# config valid for current version and patch releases of Capistrano
lock "~> 3.18.0"

set :application, "my_shop"
set :repo_url, "git@github.com:acme/my_shop.git"
set :branch, ENV.fetch("BRANCH", "main")

server "app1.example.com", user: "deploy", roles: %w{app db web}, primary: true
server "app2.example.com", user: "deploy", roles: %w[app web]
server "jobs.example.com", user: "deploy", roles: [:sidekiq]

set :deploy_to, "/var/www/#{fetch(:application)}"
set :user, "deploy"
set :use_sudo, false
set :pty, true

set :rbenv_type, :user
set :rbenv_ruby, File.read(".ruby-version").strip

set :puma_threads, [4, 16]
set :puma_workers, 2
set :puma_bind, "unix://#{shared_path}/tmp/sockets/#{fetch(:application)}-puma.sock"
set :nginx_server_name, "shop.example.com"
set :nginx_use_ssl, true
set :sidekiq_config, "config/sidekiq.yml"

set :linked_files, %w{config/database.yml config/master.key .env.production config/puma.rb config/cable.yml}
set :linked_dirs, %w{log tmp/pids tmp/cache tmp/sockets vendor/bundle public/system storage}
append :linked_dirs, "public/uploads", "node_modules"

set :keep_releases, 3
set :default_env, { path: "/opt/node/bin:$PATH", "LANG" => "en_US.UTF-8" }
set :ssh_options, {
  forward_agent: true,
  keys: %w(~/.ssh/deploy_ed25519),
  auth_methods: %w(publickey)
}

namespace :puma do
  desc "Create Directories for Puma Pids and Socket"
  task :make_dirs do
    on roles(:app) do
      execute "mkdir #{shared_path}/tmp/sockets -p"
    end
  end

  before "deploy:starting", "puma:make_dirs"
end

namespace :deploy do
  task :check_revision do
    on roles(:app) do
      unless `git rev-parse HEAD` == `git rev-parse origin/master`
        puts "WARNING: HEAD is not the same as origin/master"
        exit
      end
    end
  end

  after :finishing, :cleanup
end
