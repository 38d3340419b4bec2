SELECT format('UPDATE app.users SET contact_email = email WHERE user_id BETWEEN %s AND %s AND contact_email IS NULL',
              min(user_id), max(user_id))
FROM (SELECT user_id, (row_number() OVER (ORDER BY user_id) - 1) / 500 AS part FROM app.users
      WHERE contact_email IS NULL) AS parts
GROUP BY part ORDER BY part
\gexec
ALTER TABLE app.users ALTER COLUMN contact_email SET NOT NULL;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
