set :application, 'billing'
set :repo_url, 'git@git.example.com:acme/billing.git'
ask :branch, `git rev-parse --abbrev-ref HEAD`.chomp
set :deploy_to, -> { "/srv/#{fetch(:application)}/#{fetch(:stage)}" }
set :linked_files, fetch(:linked_files, []).push('config/credentials/production.key')
set :linked_dirs, fetch(:linked_dirs, []).push('log', 'storage')
set :keep_releases, 5
set :migration_role, :app
after 'deploy:published', 'slack:notify'
