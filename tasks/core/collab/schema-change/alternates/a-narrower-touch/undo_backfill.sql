ALTER TABLE app.users ALTER contact_email DROP NOT NULL;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
