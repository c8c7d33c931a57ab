export default import.meta.glob<Record<string, string>>('../../**/messages.en.json', { eager: true, import: 'default' });
