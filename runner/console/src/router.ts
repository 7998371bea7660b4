import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';

/** Each page is a file of its own, loaded when it is first seen. */
const pages: RouteRecordRaw[] = [
	{ path: '/', redirect: { name: 'executions' } },
	{
		path: '/executions',
		name: 'executions',
		meta: { title: 'Executions' },
		component: () => import('./pages/executions/ExecutionsPage.vue'),
	},
	{
		path: '/executions/:id',
		name: 'execution',
		meta: { title: 'Execution' },
		component: () => import('./pages/executions/ExecutionPage.vue'),
	},
	{
		path: '/studio',
		name: 'studio',
		meta: { title: 'Studio' },
		component: () => import('./pages/studio/StudioPage.vue'),
	},
	{
		path: '/workflows',
		name: 'workflows',
		meta: { title: 'Workflows' },
		component: () => import('./pages/workflows/WorkflowsPage.vue'),
	},
	{
		path: '/workflows/:id',
		name: 'workflow',
		meta: { title: 'Workflow' },
		component: () => import('./pages/workflows/WorkflowPage.vue'),
	},
	{
		path: '/sandboxes',
		name: 'sandboxes',
		meta: { title: 'Sandboxes and layers' },
		component: () => import('./pages/sandboxes/SandboxesPage.vue'),
	},
	{
		path: '/errors',
		name: 'errors',
		meta: { title: 'Errors' },
		component: () => import('./pages/errors/ErrorsPage.vue'),
	},
	{
		path: '/audit',
		name: 'audit',
		meta: { title: 'Audit' },
		component: () => import('./pages/audit/AuditPage.vue'),
	},
	{
		path: '/settings',
		name: 'settings',
		meta: { title: 'Settings and tokens' },
		component: () => import('./pages/settings/SettingsPage.vue'),
	},
	{
		path: '/:missing(.*)*',
		name: 'missing',
		meta: { title: 'Not found' },
		component: () => import('./pages/MissingPage.vue'),
	},
];

export const router = createRouter({
	history: createWebHistory(import.meta.env.BASE_URL),
	routes: pages,
	scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

router.afterEach((to) => {
	document.title = `${String(to.meta.title ?? 'Qflow')} · Qflow`;
});

// After a new build the files of the old one are gone.
router.onError((error, to) => {
	if (error instanceof TypeError && /import|module/i.test(error.message))
		location.assign(to.fullPath);
});
