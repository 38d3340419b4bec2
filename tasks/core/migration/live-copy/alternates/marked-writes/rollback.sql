begin;
drop trigger if exists carry_over on legacy.orders;
drop table if exists shop.orders;
drop function if exists shop.carry_over();
drop function if exists shop.carry_back();
drop schema if exists shop;
commit;
-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
